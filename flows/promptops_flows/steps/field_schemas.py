"""JSON Schemas of the fields of steps, for the API description and for editors of files.

They accept everything that the kinds' `parse` accepts: unknown fields are kept, and a field without
a value may be null. Rules that a schema can't express are checked by `parse` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

_DURATION = r"^([ ]*\d{1,9}(\.\d{1,6})?[ ]*(ms|s|m|h|d)[ ]*)"
FLAG: Schema = {"type": ["boolean", "null"]}
OBJECT: Schema = {"type": ["object", "null"], "additionalProperties": True}
NAMES: Schema = {"type": ["array", "null"], "items": {"type": "string"}}
# A number is accepted as well.
VERSION: Schema = {"type": ["string", "integer", "null"], "maxLength": 200}
# The step of a map: one of the kinds that can run for each item.
MAPPED_STEP: Schema = {"x-step": "mapped"}


@dataclass(frozen=True, slots=True)
class KindSchema:
    """The fields of a kind; a step must have those in `required`. `rules` are schemas over several
    fields, `without_effect` are the common step fields that this kind refuses."""

    fields: Mapping[str, Schema]
    required: tuple[str, ...] = ()
    rules: tuple[Schema, ...] = ()
    without_effect: tuple[str, ...] = ()
    description: str = ""


def described(schema: Schema, sentence: str) -> Schema:
    return {**schema, "description": sentence}


def text(limit: int) -> Schema:
    """An optional text."""
    return {"type": ["string", "null"], "maxLength": limit}


def needed_text(limit: int) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": limit}


def integer(least: int, most: int) -> Schema:
    return {"type": ["integer", "null"], "minimum": least, "maximum": most}


def duration(most: float) -> Schema:
    """A number of seconds, or a text such as `2m`; an empty text counts as missing."""
    return {
        "type": ["string", "number", "null"],
        "pattern": f"{_DURATION}?$",
        "exclusiveMinimum": 0,
        "maximum": most,
    }


def durations(count: int, most: float) -> Schema:
    item = {**duration(most), "type": ["string", "number"], "pattern": f"{_DURATION}$"}
    return {"type": ["array", "null"], "maxItems": count, "items": item}


def choice(*choices: str) -> Schema:
    """One of these choices, or nothing if the kind has a default."""
    return {"enum": [*choices, "", None]}


def objects(limit: int, fields: Mapping[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    item = {"type": "object", "properties": dict(fields), "required": list(required)}
    return {"type": ["array", "null"], "maxItems": limit, "items": item}
