"""Equality of JSON values as JSON Schema defines it: 1 equals 1.0, and not true."""

from __future__ import annotations

import json
from typing import Any


def equality_key(value: Any) -> str:
    """A text that two values share exactly if they are equal. Texts have a randomized hash, so that
    nobody can construct values for which a set takes quadratic time."""
    return json.dumps(_whole_numbers(value), sort_keys=True, ensure_ascii=False)


def _whole_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole_numbers(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _whole_numbers(inner) for name, inner in value.items()}
    return value
