"""The generated pages leave nothing out."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.main

import promptops
from promptops_flows.steps.registry import STEP_TYPES
from promptops_platform.changes.schemas import ChangeType
from promptops_platform.cli import app
from promptops_platform.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("pages")
    command = [sys.executable, str(ROOT / "docs" / "generator"), str(target)]
    subprocess.run(command, check=True, cwd=target)
    return target


def routes() -> list[str]:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    return [
        f"## {method.upper()} `{path}`"
        for path, item in paths.items()
        for method in item
        if method != "parameters"
    ]


def commands() -> list[str]:
    return [f"## promptops {name}" for name in vars(typer.main.get_command(app))["commands"]]


def settings() -> list[str]:
    descriptions = [str(field.description) for field in Settings.model_fields.values()]
    return ["`PROMPTOPS_ADDR`", *(text for text in descriptions if "|" not in text)]


def python_names() -> list[str]:
    # `Event` is a dict of any members.
    return [name for name in promptops.__all__ if name[0].isupper() and name != "Event"]


@pytest.mark.parametrize(
    ("pages", "names"),
    [
        ("reference/rest/*.md", routes),
        ("reference/cli.md", commands),
        ("reference/settings.md", settings),
        ("reference/events.md", lambda: [f"`{kind.value}`" for kind in ChangeType]),
        ("reference/steps.md", lambda: [f"## {name}\n" for name in STEP_TYPES]),
        ("reference/sdk-python.md", python_names),
        ("decisions/index.md", lambda: [path.name for path in decisions()]),
    ],
)
def test_everything_has_its_place(folder: Path, pages: str, names: Callable[[], list[str]]) -> None:
    text = "".join(path.read_text() for path in folder.glob(pages))
    assert names()
    assert [name for name in names() if name not in text] == []


def decisions() -> list[Path]:
    return list((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("name", ["sdk-node", "sdk-java"])
def test_the_clients_of_an_sdk_are_described(folder: Path, name: str) -> None:
    text = (folder / "reference" / f"{name}.md").read_text()
    for part in ("PromptOpsClient", "preload", "renderMessages", "NotFound", "#"):
        assert part in text
    assert "private" not in text
    assert "#store" not in text


def test_files_that_pages_link_to_are_on_the_site(folder: Path) -> None:
    linked = {
        link
        for page in (ROOT / "docs").glob("*.md")
        for link in re.findall(r"\]\((?!\w+:|\.\.)([^)#\s]+\.(?!md)\w+)\)", page.read_text())
    }
    assert len(linked) >= 3
    assert {link for link in linked if not (folder / "public" / link).is_file()} == set()
