"""A model's text as JSON: what does not fit is a sentence, whatever the model wrote."""

import json
from typing import Any

import pytest

from promptops_flows.structured import UnfitAnswerError, parse_structured

ANY: dict[str, Any] = {"type": ["array", "object", "number"]}


@pytest.mark.parametrize("text", ['{"a": [1, 2.5]}', '```json\n{"a": [1, 2.5]}\n```'])
def test_an_answer_that_fits(text: str) -> None:
    assert parse_structured(ANY, text) == {"a": [1, 2.5]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no JSON", "it is not JSON"),
        ("NaN", "NaN is not JSON"),
        ("[1e999]", "it holds a number beyond ±1e308"),
        ("-1e999", "it holds a number beyond ±1e308"),
        ("[" * 200 + "]" * 200, "nested more than 100 deep"),
        ("[" * 100_000, "it is not JSON"),
        ("9" * 5_000, "it is not JSON"),
        (json.dumps(["x" * 1_048_576]), "it is longer than 1,048,576 characters"),
        (json.dumps([0] * 300_000), "1,000,000 steps"),
    ],
)
def test_an_answer_that_does_not_fit(text: str, problem: str) -> None:
    schema = {**ANY, "items": {"allOf": [{"type": "integer"}] * 9}} if text[1:2] == "0" else ANY
    with pytest.raises(UnfitAnswerError, match=problem):
        parse_structured(schema, text)
