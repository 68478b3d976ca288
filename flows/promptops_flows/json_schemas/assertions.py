"""Keywords that check a single value, without schemas inside them.

Each check returns the message of a problem, or None if the value is valid or of another type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

Words = Callable[[], str]


def json_type(value: Any) -> str:
    """`integer` is for whole numbers; they are also numbers."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    return _TYPE_NAMES[type(value)]


_TYPE_NAMES: Mapping[type, str] = {
    type(None): "null",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _type(names: Any, value: Any) -> Words | None:
    listed, kind = [names] if isinstance(names, str) else names, json_type(value)
    if kind in listed or (kind == "integer" and "number" in listed):
        return None
    return lambda: f"{value!r} is not of type {', '.join(map(repr, listed))}"


def _minimum(least: Any, value: Any) -> Words | None:
    if not _is_number(value) or value >= least:
        return None
    return lambda: f"{value!r} is less than the minimum of {least!r}"


def _maximum(most: Any, value: Any) -> Words | None:
    if not _is_number(value) or value <= most:
        return None
    return lambda: f"{value!r} is greater than the maximum of {most!r}"


def _exclusive_minimum(least: Any, value: Any) -> Words | None:
    if not _is_number(value) or value > least:
        return None
    return lambda: f"{value!r} is less than or equal to the minimum of {least!r}"


def _exclusive_maximum(most: Any, value: Any) -> Words | None:
    if not _is_number(value) or value < most:
        return None
    return lambda: f"{value!r} is greater than or equal to the maximum of {most!r}"


def _multiple_of(step: Any, value: Any) -> Words | None:
    if not _is_number(value) or _is_multiple(value, step):
        return None
    return lambda: f"{value!r} is not a multiple of {step}"


def _is_multiple(value: int | float, step: int | float) -> bool:
    if isinstance(step, int) and isinstance(value, int):
        return value % step == 0
    try:
        # Decimal fractions are compared as written, not as binary approximations: 0.0075 by 0.0001.
        quotient = value / step
        if math.isfinite(quotient):
            return quotient.is_integer()
    except OverflowError:
        pass
    return (Fraction(value) / Fraction(step)).denominator == 1


def _min_length(least: Any, value: Any) -> Words | None:
    if not isinstance(value, str) or len(value) >= least:
        return None
    return lambda: f"{value!r} {'should be non-empty' if least == 1 else 'is too short'}"


def _max_length(most: Any, value: Any) -> Words | None:
    if not isinstance(value, str) or len(value) <= most:
        return None
    return lambda: f"{value!r} {'is expected to be empty' if most == 0 else 'is too long'}"


def _min_items(least: Any, value: Any) -> Words | None:
    if not isinstance(value, list) or len(value) >= least:
        return None
    return lambda: f"{value!r} {'should be non-empty' if least == 1 else 'is too short'}"


def _max_items(most: Any, value: Any) -> Words | None:
    if not isinstance(value, list) or len(value) <= most:
        return None
    return lambda: f"{value!r} {'is expected to be empty' if most == 0 else 'is too long'}"


def _min_properties(least: Any, value: Any) -> Words | None:
    if not isinstance(value, dict) or len(value) >= least:
        return None
    few = "should be non-empty" if least == 1 else "does not have enough properties"
    return lambda: f"{value!r} {few}"


def _max_properties(most: Any, value: Any) -> Words | None:
    if not isinstance(value, dict) or len(value) <= most:
        return None
    many = "is expected to be empty" if most == 0 else "has too many properties"
    return lambda: f"{value!r} {many}"


ASSERTIONS: Mapping[str, Callable[[Any, Any], Words | None]] = {
    "type": _type,
    "minimum": _minimum,
    "maximum": _maximum,
    "exclusiveMinimum": _exclusive_minimum,
    "exclusiveMaximum": _exclusive_maximum,
    "multipleOf": _multiple_of,
    "minLength": _min_length,
    "maxLength": _max_length,
    "minItems": _min_items,
    "maxItems": _max_items,
    "minProperties": _min_properties,
    "maxProperties": _max_properties,
}
