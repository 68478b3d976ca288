"""Selects what `make check` looks at, and prints the paths: with `tests` the tests of changed
sources, with `console` the changed files of the console, relative to its folder.

A source's tests are in the folder of the same name under `tests/`, and wherever it is imported. The
console's test runner finds those of its files itself.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

ROOT = Path(__file__).parents[2]
# The source folders, and the folders of their tests; the harness is tested where it is imported.
TESTS = {
    "platform/promptops_platform": "tests/platform",
    "flows/promptops_flows": "tests/flows",
    "providers/promptops_providers": "tests/providers",
    "sdk/python/promptops": "tests/sdk/python",
    "tests/harness": "",
}
CONSOLE = "web"
# The test of links and translations.
PAGES = "tests/docs/test_pages.py"
# Rules for all files.
ALWAYS = ("tests/test_house_rules.py", "tests/test_words.py")


def affected_tests(changed: Iterable[str], root: Path = ROOT) -> list[str]:
    """The test files and folders for these files, as paths relative to `root`."""
    sources = {path.relative_to(root).as_posix(): path.read_text() for path in _test_files(root)}
    chosen = set(ALWAYS)
    for path in changed:
        chosen.update(_beside(path, root))
        if pattern := _import_of(path):
            chosen.update(test for test, text in sources.items() if pattern.search(text))
    return sorted(_without_parts(chosen))


def _test_files(root: Path) -> Iterator[Path]:
    return (root / "tests").rglob("test_*.py")


def _beside(path: str, root: Path) -> Iterator[str]:
    """The test itself, or the tests of this source."""
    name = PurePath(path)
    if name.name.startswith("test_") and name.suffix == ".py" and (root / path).is_file():
        yield path
    if name.suffix == ".md" and (root / PAGES).is_file():
        yield PAGES
    for source, tests in TESTS.items():
        if tests and name.is_relative_to(source):
            place = root / tests / name.relative_to(source)
            of_file = place.with_name(f"test_{place.stem}.py")
            folder = place.parent if place.parent != root / tests else None
            for test in (of_file, folder):
                if test is not None and test.exists():
                    yield test.relative_to(root).as_posix()


def _import_of(path: str) -> re.Pattern[str] | None:
    """Matches the lines that import one of our Python modules."""
    for source in TESTS:
        name = PurePath(path)
        if name.suffix == ".py" and name.is_relative_to(source):
            parts = PurePath(source).name, *name.relative_to(source).with_suffix("").parts
            package, module = re.escape(".".join(parts[:-1])), parts[-1]
            whole = rf"(?:from|import) {package}\.{module}\b"
            of_package = rf"from {package} import (?:\([^)]*|.*)\b{module}\b"
            return re.compile(rf"^\s*(?:{whole}|{of_package})", re.MULTILINE)
    return None


def _without_parts(paths: set[str]) -> set[str]:
    """Without the paths inside a folder of the list."""
    return {
        path for path in paths if not any(f"{path}/".startswith(f"{p}/") for p in paths - {path})
    }


def console_files(changed: Iterable[str], root: Path = ROOT) -> list[str]:
    """The scripts of the console among these files, except deleted ones."""
    paths = [PurePath(path) for path in changed if (root / path).is_file()]
    own = [path.relative_to(CONSOLE) for path in paths if path.is_relative_to(CONSOLE)]
    return sorted(path.as_posix() for path in own if path.suffix in {".ts", ".vue", ".mjs"})


def changed_files() -> list[str]:
    """The files that differ from the main branch, or else from the previous commit."""
    base = next(filter(None, map(_common_commit, ("@{upstream}", "origin/main", "main"))), "HEAD")
    differing = _git("diff", "--name-only", base) + _git(
        "ls-files", "--others", "--exclude-standard"
    )
    return differing or _git("diff", "--name-only", "HEAD~1")


def _common_commit(branch: str) -> str:
    return next(iter(_git("merge-base", "HEAD", branch)), "")


def _git(*arguments: str) -> list[str]:
    answer = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return answer.stdout.splitlines()


if __name__ == "__main__":
    select = {"tests": affected_tests, "console": console_files}[sys.argv[1]]
    sys.stdout.writelines(path + os.linesep for path in select(changed_files()))
