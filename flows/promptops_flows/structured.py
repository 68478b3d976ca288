"""A model's text as the JSON that a schema wants."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from promptops_flows.bounded_templates import MAX_TEXT_CHARACTERS
from promptops_flows.json_schemas import findings

# Models like to wrap JSON as they would for a reader.
_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*)\n[ \t]*```\s*", re.DOTALL)


class UnfitAnswerError(ValueError):
    """The text is not what the schema wants; says what is wrong with it."""


def parse_structured(schema: Mapping[str, Any], text: str) -> Any:
    """The value in the text; raises `UnfitAnswerError`."""
    if len(text) > MAX_TEXT_CHARACTERS:
        raise UnfitAnswerError(f"it is longer than {MAX_TEXT_CHARACTERS:,} characters")
    fenced = _FENCED.fullmatch(text)
    try:
        value = json.loads(fenced[1] if fenced else text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
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


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
