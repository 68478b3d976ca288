"""Everything that is locked may be used in a project under Apache-2.0."""

import json
import re
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LICENCE = (ROOT / "LICENSE").read_text(encoding="utf-8")
# Parts of the names that packages give to licences of this kind. MPL-2.0 binds only its own files,
# OFL-1.1 only the fonts.
COMPATIBLE = (
    *("apache", "bsd", "mit", "isc", "psf", "python-2.0", "cnri-python", "0bsd", "blueoak", "cc0"),
    *("mpl-2.0", "mpl 2.0", "ofl-1.1"),
)
# May also be taken under the Artistic License, which allows what Prefect does with it.
DUAL = {"text-unidecode"}


def locked(path: Path) -> list[str]:
    """The packages of a lock file that are installed on this system."""
    names = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", path.read_text(), re.MULTILINE)
    installed = {str(package.name).lower() for package in metadata.distributions()}
    return [name for name in names if name.lower() in installed]


def licences(name: str) -> list[str]:
    """Each of which somebody may choose, or all hold."""
    about = metadata.metadata(name)
    if expression := about.get("License-Expression"):
        return [expression]
    classifiers = [text for text in about.get_all("Classifier") or [] if "License ::" in text]
    return classifiers or [(about.get("License") or "").partition("\n")[0]]


def is_compatible(licence: str) -> bool:
    return any(part in licence.lower() for part in COMPATIBLE) and "gpl" not in licence.lower()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-build.lock"])
def test_python_packages(lock: str) -> None:
    names = locked(ROOT / lock)
    assert len(names) > 3
    refused = {
        name: licences(name)
        for name in names
        if name not in DUAL and not all(map(is_compatible, licences(name)))
    }
    assert refused == {}


@pytest.mark.parametrize("folder", ["web", "sdk/node", "docs"])
def test_node_packages(folder: str) -> None:
    packages = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]
    refused = {
        path: package.get("license")
        for path, package in packages.items()
        if path and not is_compatible(package.get("license") or "")
    }
    assert refused == {}


@pytest.mark.parametrize("folder", ["python", "node", "java"])
def test_a_package_has_the_licence_of_the_project(folder: str) -> None:
    assert (ROOT / "sdk" / folder / "LICENSE").read_text(encoding="utf-8") == LICENCE
