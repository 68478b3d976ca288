"""The examples of docs/workflows.md do what the page says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.platform import RunningPlatform
from harness.workflows import run_workflow, running, save_workflow

__all__ = ["running"]

PAGE = Path(__file__).parents[3] / "docs" / "workflows.md"
BLOCK = re.compile(r"^```json (workflow|run)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def examples() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    blocks = [(kind, json.loads(text)) for kind, text in BLOCK.findall(PAGE.read_text())]
    assert [kind for kind, _ in blocks] == ["workflow", "run"] * (len(blocks) // 2)
    return [(blocks[at][1], blocks[at + 1][1]) for at in range(0, len(blocks), 2)]


EXAMPLES = examples()


@pytest.mark.parametrize(("workflow", "example"), EXAMPLES)
async def test_an_example_runs_as_it_says(
    running: RunningPlatform, workflow: dict[str, Any], example: dict[str, Any]
) -> None:
    saved = await save_workflow(running, **workflow)
    answer = await run_workflow(running, saved, variables=example["variables"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["output"] == example["output"]
    assert answer.json()["warnings"] == []


def test_every_kind_has_its_part_of_the_page() -> None:
    from promptops_flows.steps.registry import STEP_TYPES

    headings = " ".join(re.findall(r"^### (.*)$", PAGE.read_text(), re.MULTILINE))
    assert set(STEP_TYPES) == set(re.findall(r"`(\w+)`", headings))
