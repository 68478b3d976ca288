"""Rules of the house that no linter knows."""

import ast
import re
import subprocess
import sys
from pathlib import Path

from harness.source_trees import parse
from promptops_platform.settings import Settings

ROOT = Path(__file__).parent.parent
PLATFORM = ROOT / "platform" / "promptops_platform"
SOURCES = [
    path
    for folder in ("providers", "flows", "platform", "sdk/python", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return names


def test_import_rules() -> None:
    # A process of its own: it sets up logging anew, which silences the loggers that others test.
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_hides_the_standard_librarys_platform() -> None:
    for folder in ("platform", "tests/platform"):
        assert not (ROOT / folder / "__init__.py").exists()


def test_a_repository_is_imported_by_its_own_room_only() -> None:
    checked = 0
    for path in PLATFORM.rglob("*.py"):
        room = path.relative_to(PLATFORM).parts[0]
        for name in imported(path):
            match = re.match(r"promptops_platform\.(\w+)\.repository", name)
            if match:
                checked += 1
                assert match[1] == room, f"{path} imports {name}"
    assert checked


def test_tables_import_the_database_only() -> None:
    paths = sorted(PLATFORM.glob("*/tables.py"))
    assert len(paths) > 10
    for path in paths:
        for name in imported(path):
            # Agents and workflows have the columns of all definitions.
            is_allowed = re.match(r"promptops_platform\.(db|definitions\.columns)\b", name)
            assert is_allowed or not name.startswith("promptops_"), f"{path} imports {name}"


def test_routes_open_no_transaction_and_know_no_engine() -> None:
    behind = {
        "promptops_platform.db.unit_of_work.Database",
        "promptops_flows.protocol.engine_client",
    }
    for path in PLATFORM.glob("*/*endpoints.py"):
        # The export of the audit trail reads each batch in a transaction of its own.
        allowed = (
            {"promptops_platform.db.unit_of_work.Database"} if "audit" in path.parts else set()
        )
        forbidden = imported(path) & (behind - allowed)
        assert not forbidden, f"{path} imports {forbidden}"


def test_the_composition_creates_every_room_that_composes_itself() -> None:
    rooms = {path.parent.name for path in PLATFORM.glob("*/composition.py")}
    composed = {
        name.split(".")[1]
        for name in imported(PLATFORM / "composition.py")
        if name.endswith(".composition")
    }
    assert composed == rooms


def test_the_page_of_the_architecture_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    for path in PLATFORM.glob("*/endpoints.py"):
        assert f"`{path.parent.name}`" in page, (
            f"docs/architecture.md leaves {path.parent.name} out"
        )


def test_the_migrations_are_one_chain_in_the_order_of_their_files() -> None:
    files = sorted((PLATFORM / "db" / "migrations" / "versions").glob("*.py"))
    chain = []
    for path in files:
        text = path.read_text()
        revision = re.search(r'^revision = "(\d+)"', text, re.MULTILINE)
        before = re.search(r'^down_revision = "?(\w+)"?', text, re.MULTILINE)
        assert revision is not None, path
        assert before is not None, path
        chain.append((path.name[:4], revision[1], before[1]))
    numbers = [f"{number:04}" for number in range(1, len(files) + 1)]
    assert chain == list(zip(numbers, numbers, ["None", *numbers], strict=False))


def test_the_platforms_process_loads_no_prefect() -> None:
    code = (
        "import sys, promptops_platform.cli, promptops_platform.server\n"
        "print([name for name in sys.modules if name.partition('.')[0] == 'prefect'])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert loaded.stdout.strip() == "[]"


def test_server_and_sdk_print_values_by_the_same_code() -> None:
    """Neither may import the other, so the SDK has a copy, and a copy it must stay."""
    bodies = [
        (ROOT / folder / "ecmascript.py").read_text().partition('"""\n\n')[2]
        for folder in ("flows/promptops_flows/templates", "sdk/python/promptops")
    ]
    assert bodies[0] == bodies[1] != ""


def test_every_setting_is_documented_and_no_other() -> None:
    table = (ROOT / "docs" / "settings.md").read_text()
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE))
    prefix = Settings.model_config["env_prefix"]
    settings = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        choices = getattr(alias, "choices", None)
        settings.add(str(choices[0]) if choices else f"{prefix}{name}".upper())
        assert field.description, name
    assert documented == settings


def test_lock_files_carry_no_download_address() -> None:
    locks = list(ROOT.glob("requirements*.lock"))
    assert locks
    for lock in locks:
        assert "://" not in lock.read_text(), lock


def test_every_command_of_the_readme_exists() -> None:
    readme = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = set(re.findall(r"^make ([\w-]+)|`make ([\w-]+)`", readme, re.MULTILINE))
    targets_named = {either or other for either, other in used}
    assert {"up", "test"} <= targets_named <= targets
