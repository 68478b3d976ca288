"""A software bill of materials (CycloneDX 1.6) of what the platform's wheel contains and installs.

Made from the lock files, without network, and the same file each time.
"""

from __future__ import annotations

import json
import re
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from versions import ROOT, version

Component = dict[str, Any]
# Of the serial number, which is the same for the same contents.
NAMESPACE = uuid.UUID("c7a1f3f0-5f0e-4f43-9d0b-5a9f0a6f6c11")
_LOCKED = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^ ;\\]+)(?P<rest>(?:.*\\\n)*.*)",
    re.MULTILINE,
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def sbom() -> Component:
    """The whole document."""
    components = [*python_packages(), *console_packages()]
    contents = json.dumps(components, sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, contents)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": f"pkg:pypi/promptops@{version()}",
                "name": "promptops",
                "version": version(),
                "purl": f"pkg:pypi/promptops@{version()}",
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": components,
        "dependencies": [
            {
                "ref": f"pkg:pypi/promptops@{version()}",
                "dependsOn": [component["bom-ref"] for component in components],
            }
        ],
    }


def python_packages() -> list[Component]:
    """Those of `requirements.lock`, which `pip install promptops` installs."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return [_python(match) for match in _LOCKED.finditer(text)]


def console_packages() -> list[Component]:
    """Those whose code is in the scripts of the console."""
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text(encoding="utf-8"))
    packages = [
        _node(path.rpartition("node_modules/")[2], package)
        for path, package in sorted(lock["packages"].items())
        if path and not package.get("dev") and not package.get("optional")
    ]
    # Several packages may bring the same version of another one.
    return list({package["bom-ref"]: package for package in packages}.values())


def _python(match: re.Match[str]) -> Component:
    name = match["name"].lower().replace("_", "-")
    purl = f"pkg:pypi/{name}@{match['version']}"
    hashes = [{"alg": "SHA-256", "content": content} for content in _HASH.findall(match["rest"])]
    licence = _python_licence(name)
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": match["version"],
        "purl": purl,
        **({"licenses": licence} if licence else {}),
        **({"hashes": hashes} if hashes else {}),
    }


def _python_licence(name: str) -> list[dict[str, Any]]:
    """None of a package for another system, which is not installed here."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return []
    if expression := about.get("License-Expression"):
        return [{"expression": expression}]
    classifiers = [text for text in about.get_all("Classifier") or [] if "License ::" in text]
    names = [text.rpartition(":: ")[2] for text in classifiers]
    first_line = (about.get("License") or "").partition("\n")[0]
    return [{"license": {"name": text}} for text in names or [first_line] if text]


def _node(name: str, package: dict[str, Any]) -> Component:
    purl = f"pkg:npm/{quote(name, safe='/')}@{package['version']}"
    licence = package.get("license")
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": package["version"],
        "purl": purl,
        "scope": "required",
        **({"licenses": [{"expression": licence}]} if licence else {}),
    }


def write_sbom(folder: Path) -> Path:
    """Write it to the folder."""
    path = folder / f"promptops-{version()}.cdx.json"
    path.write_text(json.dumps(sbom(), indent=1) + "\n", encoding="utf-8")
    return path
