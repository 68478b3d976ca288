"""Which prompts have to be fetched again, and telling the listeners once they are."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any, TypedDict

from promptops.backoff import Backoff
from promptops.errors import (
    ClientClosedError,
    NotFoundError,
    PromptOpsError,
    ResponseError,
    ServerError,
)
from promptops.prompts import Prompt, PromptStore

logger = logging.getLogger("promptops")

# The type of the event that stands for a change which a new connection brought to light.
REFRESHED = "prompt.refreshed"

# As on the wire: type, id, key, env, version.
Event = dict[str, Any]


class Update(TypedDict):
    """What `on_update` is called with: a prompt's new copy, and the event that told of it."""

    key: str
    prompt: Prompt
    event: Event


OnUpdate = Callable[[Update], object]


class Refetching:
    """The keys that are due, in order, each with the newest event that asks for it.

    An event of a key that waits already replaces the older one: the fetch brings the newest copy
    in any case. Used by the watch's thread; only `add_listener` may be called from others.
    """

    def __init__(self, store: PromptStore, environment: str) -> None:
        self._store = store
        self._environment = environment
        self._listeners: list[OnUpdate] = []
        # None: due because of a new connection, worth telling only if the prompt changed.
        self._due: dict[str, Event | None] = {}
        self._not_before = 0.0
        self._backoff = Backoff(initial=0.5, longest=10)

    def add_listener(self, on_update: OnUpdate) -> None:
        """Call this too, for each update from now on."""
        self._listeners.append(on_update)

    def note_event(self, message: str) -> None:
        """Take a message of the server: any with a key that is held or that listeners may want."""
        event = _event(message)
        if event is None:
            logger.debug("ignored a message that is no event: %.200s", message)
        elif self._listeners or self._store.holds(event["key"]):
            self._due[event["key"]] = event

    def note_new_connection(self) -> None:
        """Whatever is held may have changed unheard."""
        for key in self._store.held_keys():
            self._due.setdefault(key, None)

    def seconds_to_next(self) -> float:
        """When `refetch_next` has something to do; infinite when nothing is due."""
        return max(self._not_before - time.monotonic(), 0.0) if self._due else float("inf")

    def refetch_next(self) -> None:
        """Refetch the first key, if one is due now, and tell the listeners.

        A refusal keeps the old copy and ends the matter. Where the server can't be reached or
        fails, the key stays due, for after a pause. Raises ClientClosedError only.
        """
        if self.seconds_to_next() > 0:
            return
        key = next(iter(self._due))
        event = self._due.pop(key)
        try:
            fetched = self._store.refresh(key)
        except ClientClosedError:
            raise
        except PromptOpsError as error:
            self._keep_old_copy(key, event, error)
            return
        self._backoff.reset()
        if event is not None or fetched.changed:
            self._tell(key, fetched.prompt, event)

    def _keep_old_copy(self, key: str, event: Event | None, error: PromptOpsError) -> None:
        if isinstance(error, ResponseError) and not isinstance(error, ServerError):
            expected = isinstance(error, NotFoundError) and not self._store.holds(key)
            level = logging.DEBUG if expected else logging.WARNING
            logger.log(level, "prompt %r was not refreshed: %s", key, error)
            return
        self._due[key] = event
        pause = self._backoff.delay()
        self._not_before = time.monotonic() + pause
        logger.warning("prompt %r was not refreshed, again in %.1f s: %s", key, pause, error)

    def _tell(self, key: str, prompt: Prompt, event: Event | None) -> None:
        told = event or {
            "type": REFRESHED,
            "id": "",
            "key": key,
            "env": self._environment,
            "version": prompt.get("version", ""),
        }
        for on_update in tuple(self._listeners):
            try:
                on_update({"key": key, "prompt": dict(prompt), "event": dict(told)})
            # The program's own fault, which must not end its hot reload.
            except Exception:  # noqa: PERF203 (one listener's fault is not the next one's)
                logger.exception("on_update failed for prompt %r", key)


def _event(message: str) -> Event | None:
    try:
        event = json.loads(message)
    except (ValueError, RecursionError):
        return None
    named = isinstance(event, dict) and isinstance(event.get("key"), str) and event["key"]
    return event if named else None
