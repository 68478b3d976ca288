"""Reads a trigger's stored condition, and matches events against it."""

import fnmatch
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from promptops_platform.db.search import tags_in
from promptops_platform.triggers.events import WEBHOOK, Event

ANY = "*"
# Fields of a condition that are compared with the event's fields of the same name.
COMPARED = ("key", "env", "workflow", "agent", "connection", "app", "step")


def event_type_of(condition: Mapping[str, Any]) -> str:
    """Return the type of the events that match the condition."""
    return WEBHOOK if condition.get("webhook") else str(condition["event"])


def matches(condition: Mapping[str, Any], event: Event) -> bool:
    """Whether an event of the right type matches the condition."""
    return _has_tag(condition.get("tag"), event) and all(
        _like(str(condition[name]), event.fields.get(name))
        for name in COMPARED
        if condition.get(name) is not None
    )


def _has_tag(pattern: str | None, event: Event) -> bool:
    """Whether one of the event's tags matches, ignoring case and spaces. An event without the field
    matches, because tags are loaded only when a trigger may need them."""
    if pattern is None or "tags" not in event.fields:
        return True
    (folded,) = tags_in(pattern)
    return any(_like(folded, tag) for tag in tags_in(event.fields["tags"]))


def _like(pattern: str, value: Any) -> bool:
    return value is not None and _compiled(pattern).fullmatch(str(value)) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """`*` matches any characters; no other character is special."""
    parts = [part.replace("[", "[[]").replace("?", "[?]") for part in pattern.split("*")]
    return re.compile(fnmatch.translate("*".join(parts)))
