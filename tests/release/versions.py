"""The one version of everything that is released: that of the root `pyproject.toml`.

`python tests/release/versions.py 1.2.3` writes another one to all places.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Each pattern matches the version alone, the first time that it occurs.
_JSON = r'(?<=^  "version": ")[^"]+'
_LOCK_ROOT = r'(?<=^      "version": ")[^"]+'
PLACES = (
    ("pyproject.toml", r'(?<=^version = ")[^"]+'),
    ("sdk/python/pyproject.toml", r'(?<=^version = ")[^"]+'),
    ("sdk/python/promptops/version.py", r'(?<=^VERSION = ")[^"]+'),
    ("sdk/node/package.json", _JSON),
    ("sdk/node/package-lock.json", _JSON),
    ("sdk/node/package-lock.json", _LOCK_ROOT),
    ("sdk/node/src/address.ts", r'(?<=VERSION = ")[^"]+'),
    ("sdk/java/pom.xml", r"(?<=^  <version>)[^<]+"),
    ("sdk/java/src/main/java/io/promptops/PromptOpsClient.java", r'(?<=VERSION = ")[^"]+'),
    ("sdk/java/README.md", r"(?<=^  <version>)[^<]+"),
    ("web/package.json", _JSON),
    ("web/package-lock.json", _JSON),
    ("web/package-lock.json", _LOCK_ROOT),
)


def version() -> str:
    """As the root says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def stated_versions() -> dict[str, str]:
    """What each place says, by its path and pattern."""
    stated = {}
    for path, pattern in PLACES:
        match = re.search(pattern, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
        stated[f"{path}: {pattern}"] = match[0] if match else ""
    return stated


def set_version(new: str) -> None:
    """Write it to all places."""
    for path, pattern in PLACES:
        file = ROOT / path
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(pattern, new, text, count=1, flags=re.MULTILINE), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", sys.argv[1]):
        sys.exit("usage: python tests/release/versions.py 1.2.3")
    set_version(sys.argv[1])
