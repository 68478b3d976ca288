"""What a program wants to be told."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, TypedDict

from promptops.errors import PromptOpsError
from promptops.prompts import Prompt, own

logger = logging.getLogger("promptops")

# As on the wire: type, id, key, env, version, revision.
Event = dict[str, Any]

DELETED = "prompt.deleted"
# The type of the event that stands for a change which a new connection brought to light.
REFRESHED = "prompt.refreshed"


class Update(TypedDict):
    """What `on_update` is called with: a prompt's new copy, and the event that told of it."""

    key: str
    prompt: Prompt
    event: Event


class Deletion(TypedDict):
    """What `on_delete` is called with: a prompt that is there no longer, and the event."""

    key: str
    event: Event


# What a listener may raise without ending its program's hot reload.
PROGRAMS_FAULTS = (Exception, SystemExit, asyncio.CancelledError)

OnUpdate = Callable[[Update], object]
OnDelete = Callable[[Deletion], object]
OnConnection = Callable[[], object]
OnError = Callable[[PromptOpsError], object]


# Tells listeners of one thing, and answers what they answered.
Telling = Callable[[], list[Any]]


class Untold:
    """What listeners will be told once nobody holds a lock any more: they may ask for prompts.

    Safe between threads.
    """

    def __init__(self) -> None:
        self._waiting: deque[Telling] = deque()

    def add(self, telling: Telling) -> None:
        """To be told by the next `tell`."""
        self._waiting.append(telling)

    def tell(self) -> None:
        """Tell all of it, in this thread."""
        while True:
            try:
                telling = self._waiting.popleft()
            except IndexError:
                return
            telling()


class Listeners:
    """Calls each of them; what one raises is logged, and is the others' business as little as ours.

    Each `call` method answers what the listeners have answered, for those that are coroutines.
    """

    def __init__(self) -> None:
        self.update: list[OnUpdate] = []
        self.delete: list[OnDelete] = []
        self.connect: list[OnConnection] = []
        self.disconnect: list[OnConnection] = []
        self.error: list[OnError] = []

    def any(self) -> bool:
        """Whether there is anybody to be told."""
        kinds = (self.update, self.delete, self.connect, self.disconnect, self.error)
        return any(kinds)

    def updated(self, prompt: Prompt, event: Event) -> list[Any]:
        """A prompt has changed; each listener gets dicts of its own."""
        return _call(
            self.update,
            "on_update",
            lambda: ({"key": event["key"], "prompt": own(prompt), "event": dict(event)},),
        )

    def deleted(self, event: Event) -> list[Any]:
        """A prompt that was held is gone."""
        return _call(
            self.delete, "on_delete", lambda: ({"key": event["key"], "event": dict(event)},)
        )

    def connected(self) -> list[Any]:
        """The watch's connection stands."""
        return _call(self.connect, "on_connect", tuple)

    def disconnected(self) -> list[Any]:
        """The watch's connection is lost."""
        return _call(self.disconnect, "on_disconnect", tuple)

    def refused(self, error: PromptOpsError) -> list[Any]:
        """The token is refused."""
        return _call(self.error, "on_error", lambda: (error,))


def made_event(kind: str, key: str, environment: str, version: str) -> Event:
    """The event for a change that no event of the server told of."""
    return {"type": kind, "id": "", "key": key, "env": environment, "version": version}


def _call(listeners: list[Any], name: str, arguments: Callable[[], tuple[Any, ...]]) -> list[Any]:
    answered = []
    for listener in tuple(listeners):
        try:
            answered.append(listener(*arguments()))
        except PROGRAMS_FAULTS:  # noqa: PERF203 (one listener's fault is not the next one's)
            logger.exception("%s failed", name)
    return answered
