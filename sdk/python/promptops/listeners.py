"""Listeners of a program, and the events they receive."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, TypedDict

from promptops.chat import own
from promptops.errors import PromptOpsError
from promptops.prompts import Prompt

logger = logging.getLogger("promptops")

# The event as sent by the server: type, id, key, env, version, revision.
Event = dict[str, Any]

DELETED = "prompt.deleted"
# The type of an event for a change that a refetch detected.
REFRESHED = "prompt.refreshed"


class Update(TypedDict):
    """The argument of `on_update`: the new copy of a prompt and the event."""

    key: str
    prompt: Prompt
    event: Event


class Deletion(TypedDict):
    """The argument of `on_delete`: the deleted prompt's key and the event."""

    key: str
    event: Event


# Errors of a listener that must not end its program's hot reload.
PROGRAMS_FAULTS = (Exception, SystemExit, asyncio.CancelledError)

OnUpdate = Callable[[Update], object]
OnDelete = Callable[[Deletion], object]
OnConnection = Callable[[], object]
OnError = Callable[[PromptOpsError], object]


# Calls the listeners of one event, and returns their results.
Notification = Callable[[], list[Any]]


class PendingNotifications:
    """Notifications to deliver when no lock is held, because listeners may fetch prompts.

    Safe between threads.
    """

    def __init__(self) -> None:
        self._waiting: deque[Notification] = deque()

    def add(self, notification: Notification) -> None:
        """Queue the notification for the next `deliver`."""
        self._waiting.append(notification)

    def deliver(self) -> None:
        """Deliver all queued notifications in this thread."""
        while True:
            try:
                notification = self._waiting.popleft()
            except IndexError:
                return
            notification()


class Listeners:
    """Calls the listeners. It logs their errors and continues with the next one.

    Each `notify` method returns the results of the listeners, which may be coroutines.
    """

    def __init__(self) -> None:
        self.update: list[OnUpdate] = []
        self.delete: list[OnDelete] = []
        self.connect: list[OnConnection] = []
        self.disconnect: list[OnConnection] = []
        self.error: list[OnError] = []

    def has_any(self) -> bool:
        """Whether there is any listener."""
        kinds = (self.update, self.delete, self.connect, self.disconnect, self.error)
        return any(kinds)

    def notify_update(self, prompt: Prompt, event: Event) -> list[Any]:
        """Notify of a changed prompt; each listener gets its own dicts."""
        return _call_all(
            self.update,
            "on_update",
            lambda: ({"key": event["key"], "prompt": own(prompt), "event": dict(event)},),
        )

    def notify_deletion(self, event: Event) -> list[Any]:
        """Notify of a deleted prompt."""
        return _call_all(
            self.delete, "on_delete", lambda: ({"key": event["key"], "event": dict(event)},)
        )

    def notify_connect(self) -> list[Any]:
        """Notify that the watch has connected."""
        return _call_all(self.connect, "on_connect", tuple)

    def notify_disconnect(self) -> list[Any]:
        """Notify that the watch has lost its connection."""
        return _call_all(self.disconnect, "on_disconnect", tuple)

    def notify_refusal(self, error: PromptOpsError) -> list[Any]:
        """Notify that the server refused the token."""
        return _call_all(self.error, "on_error", lambda: (error,))


def make_event(kind: str, key: str, environment: str, version: str) -> Event:
    """Create the event for a change without an event of the server."""
    return {"type": kind, "id": "", "key": key, "env": environment, "version": version}


def _call_all(
    listeners: list[Any], name: str, arguments: Callable[[], tuple[Any, ...]]
) -> list[Any]:
    results = []
    for listener in tuple(listeners):
        try:
            results.append(listener(*arguments()))
        except PROGRAMS_FAULTS:  # noqa: PERF203 (one listener's fault is not the next one's)
            logger.exception("%s failed", name)
    return results
