"""Extracts JSON from a model's text; whatever the model writes, an error is one sentence."""

import json
from typing import Any

import pytest

from promptops_flows.steps.structured import UnfitAnswerError, parse_structured

ANY: dict[str, Any] = {"type": ["array", "object", "number"]}


@pytest.mark.parametrize("text", ['{"a": [1, 2.5]}', '```json\n{"a": [1, 2.5]}\n```'])
def test_an_answer_that_matches(text: str) -> None:
    assert parse_structured(ANY, text) == {"a": [1, 2.5]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no JSON", "it is not JSON"),
        ("NaN", "NaN is not JSON"),
        ("[1e999]", "it contains a number beyond ±1e308"),
        ("-1e999", "it contains a number beyond ±1e308"),
        ("[" * 200 + "]" * 200, "nested more than 100 deep"),
        ("[" * 100_000, "it is not JSON"),
        ("9" * 5_000, "it is not JSON"),
        (json.dumps(["x" * 1_048_576]), "it is longer than 1,048,576 characters"),
        (json.dumps([0] * 300_000), "1,000,000 steps"),
    ],
)
def test_an_answer_that_does_not_match(text: str, problem: str) -> None:
    schema = {**ANY, "items": {"allOf": [{"type": "integer"}] * 9}} if text[1:2] == "0" else ANY
    with pytest.raises(UnfitAnswerError, match=problem):
        parse_structured(schema, text)


CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}


@pytest.mark.parametrize(
    "text",
    [
        '<think>Perhaps {"city": "Bonn"}?</think>\n{"city": "Köln"}',
        '<thinking>Hm.</thinking>```json\n{"city": "Köln"}\n```',
        'It could be {"city": "Bonn"}.\n</think>\n\n{"city": "Köln"}',
        '<think>a</think> No: <think>b {"city": "Bonn"}</think> {"city": "Köln"}',
        'Here is the answer [1] for {name}:\n\n```json\n{"city": "Köln"}\n```\nAnything else?',
        'The answer is {"city": "Köln"}. I repeat: {"city": "Köln"}',
    ],
)
def test_thoughts_and_prose_around_an_answer_are_stripped(text: str) -> None:
    assert parse_structured(CITY, text) == {"city": "Köln"}


def test_tags_inside_the_answer_are_kept() -> None:
    text = '{"city": "<think>Köln</think>"}'
    assert parse_structured(CITY, text) == {"city": "<think>Köln</think>"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('<think>Perhaps {"city": "Bonn"}', "it is not JSON"),
        ('Either {"city": "Köln"} or {"city": "Bonn"}', "more than one JSON value that matches"),
        ('The answer is {"town": "Köln"}', "it is not JSON"),
        ('The answer is {"city": "Köln"', "it is not JSON"),
        ('{"city": "Köln", "near": [{"city": "Bonn"}, {"ci', "it is not JSON"),
        ('[{"city": "Bonn"}, {"ci', "it is not JSON"),
        ('{"city": Köln, "near": {"city": "Bonn"}}', "it is not JSON"),
        ('{"a":' * 100_000, "it is not JSON"),
    ],
)
def test_prose_without_exactly_one_matching_answer(text: str, problem: str) -> None:
    with pytest.raises(UnfitAnswerError, match=problem):
        parse_structured(CITY, text)
