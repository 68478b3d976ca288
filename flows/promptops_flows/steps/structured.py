"""Extracts JSON that matches a schema from a model's text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from promptops_flows.json_schemas import findings
from promptops_flows.templates.bounded import MAX_TEXT_CHARACTERS

# Models often wrap JSON in a Markdown code block.
_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*)\n[ \t]*```\s*", re.DOTALL)
_THOUGHTS_END = re.compile(r"</think(?:ing)?>")
_THOUGHTS_BEGIN = re.compile(r"<think(?:ing)?>")
_OPENING = re.compile(r"[{\[]")
# Each attempt may read the text to its end.
_MOST_TRIES = 20


class UnfitAnswerError(ValueError):
    """The text contains no JSON that matches the schema; the message says why."""


def parse_structured(schema: Mapping[str, Any], text: str) -> Any:
    """The value in the text; raises `UnfitAnswerError`."""
    if len(text) > MAX_TEXT_CHARACTERS:
        raise UnfitAnswerError(f"it is longer than {MAX_TEXT_CHARACTERS:,} characters")
    try:
        value = _read(text)
    except (ValueError, RecursionError) as error:
        matching = _matching_values(schema, _without_thoughts(text))
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise UnfitAnswerError("it contains more than one JSON value that matches") from error
        raise UnfitAnswerError(f"it is not JSON ({error})") from error
    wrong = findings(schema, value)
    if wrong:
        raise UnfitAnswerError("; ".join(wrong))
    return value


def repair_request(schema: Mapping[str, Any], problem: str) -> str:
    """The message that asks the model for a corrected answer."""
    return (
        f"Your answer does not match the JSON Schema that it must follow: {problem}.\n"
        "Answer again with nothing but the corrected JSON. The schema is:\n"
        f"{json.dumps(schema, ensure_ascii=False)}"
    )


def _read(text: str) -> Any:
    fenced = _FENCED.fullmatch(text)
    return json.loads(fenced[1] if fenced else text, parse_constant=_refuse_constant)


def _without_thoughts(text: str) -> str:
    """The text after the model's thoughts; their opening tag may be part of the prompt."""
    answer = _THOUGHTS_END.split(text)[-1]
    begun = _THOUGHTS_BEGIN.search(answer)
    return answer[: begun.start()] if begun else answer


def _matching_values(schema: Mapping[str, Any], text: str) -> list[Any]:
    """The distinct objects and lists in prose that match the schema."""
    try:
        values = [_read(text)]
    except (ValueError, RecursionError):
        values = _values_within(text)
    matching: list[Any] = []
    for value in values:
        if value not in matching and not findings(schema, value):
            matching.append(value)
    return matching


def _values_within(text: str) -> list[Any]:
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    values: list[Any] = []
    at = 0
    for _ in range(_MOST_TRIES):
        opening = _OPENING.search(text, at)
        if opening is None:
            break
        try:
            value, at = decoder.raw_decode(text, opening.start())
            values.append(value)
        except json.JSONDecodeError as error:
            if not _is_prose(text, opening.end(), error):
                # Parts of an incomplete or invalid value don't count.
                break
            at = opening.end()
        except (ValueError, RecursionError):
            break
    return values


def _is_prose(text: str, after: int, error: json.JSONDecodeError) -> bool:
    """Whether a bracket doesn't begin JSON, as in `{name}`."""
    return not text[after : error.pos].strip() and not error.msg.startswith("Unterminated")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
