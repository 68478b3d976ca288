"""What a trigger waits for, as it is stored, and whether an event is that."""

import fnmatch
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from promptops_platform.db.search import tags_in
from promptops_platform.triggers.events import WEBHOOK, Event

ANY = "*"
# The fields of a condition that are compared with those of an event of the same name.
COMPARED = ("key", "env", "workflow", "agent", "connection", "app", "step")


def event_type_of(condition: Mapping[str, Any]) -> str:
    """The type of the events that it waits for."""
    return WEBHOOK if condition.get("webhook") else str(condition["event"])


def matches(condition: Mapping[str, Any], event: Event) -> bool:
    """Whether an event of the right type is meant."""
    return _has_tag(condition.get("tag"), event) and all(
        _like(str(condition[name]), event.fields.get(name))
        for name in COMPARED
        if condition.get(name) is not None
    )


def _has_tag(pattern: str | None, event: Event) -> bool:
    """Whether one of the event's tags matches, whatever its case and spaces. An event without the
    field matches: its tags are looked up once a trigger may need them."""
    if pattern is None or "tags" not in event.fields:
        return True
    (folded,) = tags_in(pattern)
    return any(_like(folded, tag) for tag in tags_in(event.fields["tags"]))


def _like(pattern: str, value: Any) -> bool:
    return value is not None and _compiled(pattern).fullmatch(str(value)) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """`*` stands for any characters; nothing else is special."""
    parts = [part.replace("[", "[[]").replace("?", "[?]") for part in pattern.split("*")]
    return re.compile(fnmatch.translate("*".join(parts)))
