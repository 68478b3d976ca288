"""Members of a JSON object by the type that is expected, where a vendor may have put anything.

What is missing or of another type is the type's empty value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# More tokens than any model reads or writes in one call. The sum over all steps of a run still fits
# into 32 bits, that over all runs into 64.
MAX_COUNT = 10_000_000


def text_at(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def count_at(value: Mapping[str, Any], name: str) -> int:
    """From 0 to `MAX_COUNT`: what is beyond becomes the nearer of them."""
    return min(max(value[name], 0), MAX_COUNT) if has_count(value, name) else 0


def has_count(value: Mapping[str, Any], name: str) -> bool:
    """Whether a whole number is there."""
    found = value.get(name)
    return isinstance(found, int) and not isinstance(found, bool)


def object_at(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def objects_at(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects in a list; its other elements are passed over."""
    found = value.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
