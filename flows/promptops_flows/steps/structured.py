"""A model's text as the JSON that a schema wants."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from promptops_flows.json_schemas import findings
from promptops_flows.templates.bounded import MAX_TEXT_CHARACTERS

# Models like to wrap JSON as they would for a reader.
_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*)\n[ \t]*```\s*", re.DOTALL)
_THOUGHTS_END = re.compile(r"</think(?:ing)?>")
_THOUGHTS_BEGIN = re.compile(r"<think(?:ing)?>")
_OPENING = re.compile(r"[{\[]")
# Each try may read the text to its end.
_MOST_TRIES = 20


class UnfitAnswerError(ValueError):
    """The text is not what the schema wants; says what is wrong with it."""


def parse_structured(schema: Mapping[str, Any], text: str) -> Any:
    """The value in the text; raises `UnfitAnswerError`."""
    if len(text) > MAX_TEXT_CHARACTERS:
        raise UnfitAnswerError(f"it is longer than {MAX_TEXT_CHARACTERS:,} characters")
    try:
        value = _read(text)
    except (ValueError, RecursionError) as error:
        fitting = _fitting_values(schema, _without_thoughts(text))
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise UnfitAnswerError("it holds more than one JSON value that fits") from error
        raise UnfitAnswerError(f"it is not JSON ({error})") from error
    wrong = findings(schema, value)
    if wrong:
        raise UnfitAnswerError("; ".join(wrong))
    return value


def repair_request(schema: Mapping[str, Any], problem: str) -> str:
    """What asks the model for another answer."""
    return (
        f"Your answer does not fit the JSON Schema that it must follow: {problem}.\n"
        "Answer again with nothing but the corrected JSON. The schema is:\n"
        f"{json.dumps(schema, ensure_ascii=False)}"
    )


def _read(text: str) -> Any:
    fenced = _FENCED.fullmatch(text)
    return json.loads(fenced[1] if fenced else text, parse_constant=_refuse_constant)


def _without_thoughts(text: str) -> str:
    """The text after the thoughts; their beginning stands in the prompt of some models."""
    answer = _THOUGHTS_END.split(text)[-1]
    begun = _THOUGHTS_BEGIN.search(answer)
    return answer[: begun.start()] if begun else answer


def _fitting_values(schema: Mapping[str, Any], text: str) -> list[Any]:
    """The different objects and lists within prose that fit the schema."""
    try:
        values = [_read(text)]
    except (ValueError, RecursionError):
        values = _values_within(text)
    fitting: list[Any] = []
    for value in values:
        if value not in fitting and not findings(schema, value):
            fitting.append(value)
    return fitting


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
                # Parts of a value that broke off, or is damaged, are no answer.
                break
            at = opening.end()
        except (ValueError, RecursionError):
            break
    return values


def _is_prose(text: str, after: int, error: json.JSONDecodeError) -> bool:
    """Whether a bracket begins no JSON at all, as in `{name}`."""
    return not text[after : error.pos].strip() and not error.msg.startswith("Unterminated")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
