"""One version for all that is released, and a bill of materials from the locks."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import sbom
import versions


def test_all_say_the_same_version() -> None:
    assert set(versions.stated_versions().values()) == {versions.version()}


def test_another_version_is_written_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, _ in versions.PLACES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text((versions.ROOT / path).read_text())
    monkeypatch.setattr(versions, "ROOT", tmp_path)
    versions.set_version("9.8.7")
    assert set(versions.stated_versions().values()) == {"9.8.7"}


def test_the_bill_of_materials_has_all_that_is_locked() -> None:
    document = sbom.sbom()
    components = {component["name"]: component for component in document["components"]}
    lock = (versions.ROOT / "requirements.lock").read_text()
    assert lock.count("\n") > len(components)
    assert components["prefect"]["purl"].startswith("pkg:pypi/prefect@3.")
    assert components["prefect"]["hashes"]
    assert components["vue"]["licenses"] == [{"expression": "MIT"}]
    assert document == sbom.sbom()
