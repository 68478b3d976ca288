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
    text = value.get(name)
    return text if isinstance(text, str) else ""


def count_at(value: Mapping[str, Any], name: str) -> int:
    """From 0 to `MAX_COUNT`: what is beyond becomes the nearer of them."""
    return min(max(value[name], 0), MAX_COUNT) if has_count(value, name) else 0


def has_count(value: Mapping[str, Any], name: str) -> bool:
    """Whether a whole number is there."""
    count = value.get(name)
    return isinstance(count, int) and not isinstance(count, bool)


def object_at(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    member = value.get(name)
    return member if isinstance(member, Mapping) else {}


def objects_at(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects in a list; its other elements are passed over."""
    items = value.get(name)
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
