"""`make check` finds the tests of what has changed."""

from pathlib import Path

import pytest

from harness.changed_files import ALWAYS, affected_tests, console_files

FILES = {
    "tests/platform/triggers/test_inbound.py": "from promptops_platform.errors import NotFound\n",
    "tests/platform/triggers/test_firing.py": "",
    "tests/platform/test_sealing.py": "from promptops_platform.sealing import Sealer\n",
    "tests/docs/test_pages.py": "",
    "tests/flows/steps/test_map.py": "from harness.platform import new_key\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("platform/promptops_platform/triggers/inbound.py", ["tests/platform/triggers"]),
        ("platform/promptops_platform/sealing.py", ["tests/platform/test_sealing.py"]),
        ("platform/promptops_platform/errors.py", ["tests/platform/triggers/test_inbound.py"]),
        ("tests/harness/platform.py", ["tests/flows/steps/test_map.py"]),
        ("tests/flows/steps/test_map.py", ["tests/flows/steps/test_map.py"]),
        ("tests/flows/steps/test_gone.py", []),
        ("docs/runs.md", ["tests/docs/test_pages.py"]),
        ("web/src/main.ts", []),
    ],
)
def test_a_change_affects_what_stands_beside_it_and_what_imports_it(
    root: Path, changed: str, expected: list[str]
) -> None:
    assert affected_tests([changed], root) == sorted([*ALWAYS, *expected])


def test_the_console_is_checked_by_its_changed_scripts(tmp_path: Path) -> None:
    (tmp_path / "web/src").mkdir(parents=True)
    for name in ("main.ts", "App.vue", "style.css"):
        (tmp_path / "web/src" / name).touch()
    changed = [
        "web/src/main.ts",
        "web/src/App.vue",
        "web/src/style.css",
        "web/src/gone.ts",
        "docs/runs.md",
    ]
    assert console_files(changed, tmp_path) == ["src/App.vue", "src/main.ts"]
