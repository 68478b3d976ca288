"""The published JSON Schemas of the files: fresh, valid, and right about what may be written."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from promptops_platform.as_code.json_schemas import schemas
from promptops_platform.as_code.resources import DEFAULTS
from promptops_platform.as_code.yaml_text import Document

FOLDER = Path(__file__).parents[3] / "docs" / "schemas"


def test_the_published_ones_are_fresh() -> None:
    published = {path.name: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
    assert published == schemas(), "run: promptops schemas docs/schemas"


@pytest.mark.parametrize("name", sorted(schemas()))
def test_each_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(schemas()[name])


@pytest.mark.parametrize("kind", [kind for kind in DEFAULTS if kind != "prompt"])
def test_a_definition_has_the_fields_that_are_read(kind: str) -> None:
    assert set(schemas()[f"{kind}.json"]["properties"]) == {"key", *DEFAULTS[kind]}  # type: ignore[index]


VALID = {
    "agent": "prompt: Help {{who}}.\nprovider: openai\nfallbacks: [{provider: mock}]\n",
    "workflow": "steps:\n  - {name: a, type: transform, op: upper}\ntimeout: 5m\n",
    "schedule": "workflow: report\ncron: 0 3 * * *\nvariables: {days: 1}\n",
    "trigger": "on: {event: prompt.published, key: greeting*}\nrun: {workflow: announce}\n",
    "prompt": "model: gpt-5\nconfig: {maxOutputTokens: 5}\npromptops.env: prod\nmy.own: 1\n",
}
WRONG = {
    "agent": "promt: Help {{who}}.\n",
    "workflow": "steps:\n  - {name: a, type: transform, op: bigger}\n",
    "schedule": "interval_seconds: soon\n",
    "trigger": "run: {workflow: announce}\n",
    "prompt": "modell: gpt-5\n",
}


@pytest.mark.parametrize("kind", sorted(VALID))
def test_it_takes_right_files_and_marks_wrong_ones(kind: str) -> None:
    validator: Any = Draft202012Validator(schemas()[f"{kind}.json"])
    assert list(validator.iter_errors(Document(VALID[kind]).values)) == []
    assert list(validator.iter_errors(Document(WRONG[kind]).values)) != []
