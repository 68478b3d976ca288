"""JSON of others, read at a cost that is known before it is parsed."""

from __future__ import annotations

import json
from typing import Any

from promptops.errors import ProtocolError

# Python's own functions for nested data recurse: what is deeper than any configuration is garbage.
DEEPEST = 100
# Lists and objects: of a prompt, of a snapshot, of a message of the watch.
MOST_CONTAINERS = 100_000
MOST_CONTAINERS_OF_SNAPSHOT = 500_000
MOST_CONTAINERS_OF_MESSAGE = 1_000
# Beside these, for each container that is allowed.
MEMBERS_FOR_EACH = 4


def parse_json(text: bytes | str, most_containers: int = MOST_CONTAINERS) -> Any:
    """What the text holds; ProtocolError for what is not JSON, or has too many or too deep lists
    and objects."""
    try:
        _check_size(text, most_containers)
        return _not_too_deep(json.loads(text, parse_constant=_no_constant))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the server sent what is not JSON: {error}") from error


def _check_size(text: bytes | str, most: int) -> None:
    """A million lists take seconds to make, their brackets a moment to count."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if _is_too_large(data, most) and _is_too_large(_without_strings(data), most):
        raise ValueError(f"it has more than {most} lists and objects, or too many members")


def _is_too_large(data: bytes, most: int) -> bool:
    containers = data.count(b"[") + data.count(b"{")
    return containers > most or data.count(b",") > most * MEMBERS_FOR_EACH


def _without_strings(data: bytes) -> bytes:
    # Escaped quotes end no string; an escaped backslash escapes nothing.
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(plain.split(b'"')[::2])


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


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
