"""Members of a JSON object by the type that is expected, where a vendor may have put anything.

What is missing or of another type is the type's empty value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def text_at(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def count_at(value: Mapping[str, Any], name: str) -> int:
    """Never negative."""
    found = value.get(name)
    return max(found, 0) if isinstance(found, int) and not isinstance(found, bool) else 0


def object_at(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def objects_at(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects in a list; its other elements are passed over."""
    found = value.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
