"""The package uses only the standard library, and includes its types."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

import pytest

import promptops
from harness.source_trees import parse
from promptops.version import VERSION

SDK = Path(__file__).parents[3] / "sdk" / "python"
MODULES = sorted((SDK / "promptops").rglob("*.py"))


def _imported(module: Path) -> set[str]:
    imported = set()
    for node in ast.walk(parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only"
            imported.add((node.module or "").partition(".")[0])
    return imported


@pytest.mark.parametrize("module", MODULES, ids=[module.name for module in MODULES])
def test_imports_the_standard_library_only(module: Path) -> None:
    # _typeshed exists for type checkers only, behind TYPE_CHECKING.
    allowed = sys.stdlib_module_names | {"promptops", "_typeshed"}
    assert _imported(module) - allowed == set()


def test_declares_no_dependencies_and_ships_its_types() -> None:
    project = tomllib.loads((SDK / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == "promptops-sdk"
    assert project["version"] == VERSION == promptops.__version__
    assert project["dependencies"] == []
    assert (SDK / "promptops" / "py.typed").exists()


def test_all_exported_names_exist() -> None:
    assert sorted(promptops.__all__) == promptops.__all__
    assert all(hasattr(promptops, name) for name in promptops.__all__)
