"""Pages lead where they say, and translations keep up."""

import ast
import re
from pathlib import Path

import pytest

from harness.source_trees import parse
from harness.walks import ROOT, blocks

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+(?= )", re.MULTILINE)
# The build of the site makes them.
GENERATED = ("reference/", "../reference/", "openapi.json")
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "zh").glob("*.md")),
    *sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text()) if not link.startswith(GENERATED)]
    gone = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert gone == []


@pytest.mark.parametrize(
    ("page", "translation"),
    [("README.md", "README.zh-CN.md"), ("docs/tutorial.md", "docs/zh/tutorial.md")],
)
def test_a_translation_has_the_same_commands(page: str, translation: str) -> None:
    assert blocks(ROOT / page) == blocks(ROOT / translation) != []


@pytest.mark.parametrize(
    ("page", "elsewhere"),
    [
        # The end-to-end tests start the same command, and CI the whole of `make test`.
        ("README.md", ["make up      # installs"]),
        # Its program is the block above it, which the walk starts in the same way.
        ("docs/tutorial.md", ["PYTHONPATH=sdk/python python3 support.py"]),
    ],
)
def test_no_block_of_a_walk_escapes_it(page: str, elsewhere: list[str]) -> None:
    fenced = re.findall(
        r"^```[^\n]*\n(.*?)^```$", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE
    )
    walked = [text for _, text in blocks(ROOT / page)]
    left = [text for text in fenced if text not in walked]
    assert len(left) == len(elsewhere)
    assert all(text.startswith(start) for text, start in zip(left, elsewhere, strict=True))


def test_the_commands_of_the_figures_exist() -> None:
    commands = re.findall(r"`\.venv/bin/python -P (\S+) (\w+)`", (ROOT / "README.md").read_text())
    assert len(commands) >= 4
    for script, name in commands:
        # Read only: the packages of the benchmarks are not installed for the tests.
        keys = [
            node
            for node in ast.walk(parse((ROOT / script).read_text()))
            if isinstance(node, ast.Dict)
        ]
        names = {key.value for node in keys for key in node.keys if isinstance(key, ast.Constant)}
        assert name in names


def test_each_page_is_in_the_sidebar() -> None:
    sidebar = (ROOT / "docs" / ".vitepress" / "config.ts").read_text()
    for folder, prefix in (("docs", "/"), ("docs/zh", "/zh/")):
        names = {path.stem for path in (ROOT / folder).glob("*.md")} - {"index"}
        assert {name for name in names if f'"{prefix}{name}"' not in sidebar} == set()


@pytest.mark.parametrize("page", ["schedules.md", "triggers.md", "approvals.md"])
def test_a_translated_guide_has_the_same_examples(page: str) -> None:
    english, chinese = (
        (FENCED.findall(path.read_text()), HEADING.findall(path.read_text()))
        for path in (ROOT / "docs" / page, ROOT / "docs" / "zh" / page)
    )
    assert english == chinese
    assert english[0] != []
