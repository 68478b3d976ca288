"""Parses JSON from a server at a bounded cost."""

from __future__ import annotations

import json
from typing import Any

from promptops.errors import ProtocolError

# Python's functions for nested data recurse, so deeper nesting than in any configuration is
# rejected.
DEEPEST = 100
# The most lists and objects of a prompt, a snapshot, and a message of the watch.
MOST_CONTAINERS = 100_000
MOST_CONTAINERS_OF_SNAPSHOT = 500_000
MOST_CONTAINERS_OF_MESSAGE = 1_000
# The most members and items for each allowed container.
MEMBERS_PER_CONTAINER = 4


def parse_json(text: bytes | str, most_containers: int = MOST_CONTAINERS) -> Any:
    """Parse JSON; ProtocolError if it is invalid, too large or nested too deep."""
    try:
        _check_size(text, most_containers)
        return _not_too_deep(json.loads(text, parse_constant=_no_constant))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the server sent invalid JSON: {error}") from error


def _check_size(text: bytes | str, most: int) -> None:
    """Creating a million lists takes seconds, counting their brackets takes a moment."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if _is_too_large(data, most) and _is_too_large(_without_strings(data), most):
        raise ValueError(f"it has more than {most} lists and objects, or too many members")


def _is_too_large(data: bytes, most: int) -> bool:
    containers = data.count(b"[") + data.count(b"{")
    return containers > most or data.count(b",") > most * MEMBERS_PER_CONTAINER


def _without_strings(data: bytes) -> bytes:
    # Escaped quotes do not end a string; an escaped backslash escapes nothing.
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(plain.split(b'"')[::2])


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number in JSON")


def _not_too_deep(value: Any) -> Any:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            member
            for container in level
            if isinstance(container, (dict, list))
            for member in (container.values() if isinstance(container, dict) else container)
        ]
        if not level:
            return value
    raise ValueError(f"it is nested more than {DEEPEST} deep")
