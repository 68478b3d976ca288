"""The state of a watch: its position in the feed, due refetches and reports, without input and
output."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import Any, TypeGuard

from promptops.bounded_json import MOST_CONTAINERS_OF_MESSAGE, parse_json
from promptops.errors import NotFoundError, PromptOpsError, ProtocolError
from promptops.fetch_policy import NO_POSITION, REFUSALS, FetchPolicy
from promptops.listeners import DELETED, REFRESHED, Event, Listeners, Notification, make_event
from promptops.prompt_store import CachedPrompt, FeedPosition
from promptops.prompts import is_key, is_text
from promptops.retries import Retries

logger = logging.getLogger("promptops")

TYPES = {"prompt.updated", "prompt.published", DELETED}

# Older servers send no hello, and a ping at least every 4 seconds.
HELLO_SECONDS = 1.0
SILENCE_SECONDS = 15.0
SILENT_HEARTBEATS = 2.5
LONGEST_HEARTBEAT = 24 * 60 * 60
HIGHEST_REVISION = 2**63 - 1

KEYS_REPORT_SECONDS, APPLIED_SECONDS = 0.2, 0.1
MOST_KEYS = 1000
TOO_LONG_REPORT = 64 * 1024


@dataclass(frozen=True)
class Due:
    """A prompt that has to be refetched.

     `first` is the revision of its oldest change that is not applied, 0 if unknown; `position` is
    the one that the refetch requires. Without an `event`, listeners are notified only if the prompt
    has changed.
    """

    key: str
    first: int
    position: FeedPosition
    event: Event | None

    @property
    def is_deletion(self) -> bool:
        """Whether the newest change deleted the prompt."""
        return self.event is not None and self.event.get("type") == DELETED

    def must_notify(self, previous: CachedPrompt | None, current: CachedPrompt) -> bool:
        """Whether listeners are notified of the refetch."""
        return (
            self.event is not None
            or previous is None
            or previous.full_prompt.data != current.full_prompt.data
        )


class SyncState:
    """The position in the feed, the due keys in order, and the pending reports.

    Used by the one thread or task of the watch.
    """

    def __init__(self, policy: FetchPolicy, environment: str, listeners: Listeners) -> None:
        self._policy = policy
        self._store = policy.store
        self._environment = environment
        self._listeners = listeners
        self._epoch: str | None = None
        # The newest revision received, None before the first one.
        self._received: int | None = None
        self._due: dict[str, Due] = {}
        self._retries = Retries()
        self.disconnected()

    def disconnected(self) -> None:
        """Reset the state of the connection."""
        self.silence = SILENCE_SECONDS
        self._has_hello = self._is_old_server = False
        self._reported_keys: frozenset[str] = frozenset()
        self._keys_reported_at = self._applied_at = 0.0
        self._reported_revision = -1

    def connected(self) -> None:
        """Prepare for a new connection: the server resends changes that were not applied."""
        self._set_received(self._applied())
        self._retries.end_all()
        self._hello_deadline = time.monotonic() + HELLO_SECONDS

    def resume_parameters(self) -> dict[str, str]:
        """Return the parameters of the next connection, which resume at the applied position."""
        applied = self._applied()
        if applied is None or self._epoch is None:
            return {"since": "0"}
        return {"since": str(applied), "epoch": self._epoch}

    def handle_message(self, text: str) -> None:
        """Handle a message of the server."""
        try:
            message = parse_json(text, MOST_CONTAINERS_OF_MESSAGE)
        except ProtocolError:
            message = None
        if not isinstance(message, dict):
            logger.debug("ignored a message that is not an object: %.200s", text)
        elif message.get("type") == "hello":
            self._handle_hello(message)
        elif self._has_hello:
            self._handle_numbered(message)
        else:
            self._handle_unnumbered(message)

    def check_hello_timeout(self) -> None:
        """Treat a server that sends no hello in time as an older one."""
        waiting = not self._has_hello and not self._is_old_server
        if waiting and time.monotonic() >= self._hello_deadline:
            self._is_old_server = True
            self._refetch_all(NO_POSITION)
            self._store.mark_watched()

    def next_due(self) -> Due | None:
        """Return the next key to refetch or remove now, if any."""
        self._add_outdated_copies()
        now = time.monotonic()
        ready = (due for due in list(self._due.values()) if self._ready_at(due) <= now)
        return next(ready, None)

    def apply_deletion(self, due: Due) -> None:
        """Remove a deleted prompt, unless the cached copy is newer."""
        if self.current_copy(due) is None:
            self._policy.remove_prompt(due.key, due.position, due.event)
        self._mark_done(due)

    def current_copy(self, due: Due) -> CachedPrompt | None:
        """Return the cached copy if it needs no refetch."""
        cached = self._store.cached.get(due.key)
        same_epoch = cached is not None and cached.position.epoch == due.position.epoch is not None
        return (
            cached
            if same_epoch and cached and not cached.position.is_before(due.position)
            else None
        )

    def record_refetch(
        self, due: Due, previous: CachedPrompt | None, outcome: CachedPrompt | Exception
    ) -> Notification:
        """Record the outcome of a refetch, where `previous` was cached; returns the
        notification."""
        if isinstance(outcome, Exception) and not isinstance(outcome, NotFoundError):
            return self._schedule_retry(due, outcome)
        self._retries.succeeded(due.key)
        self._mark_done(due)
        if isinstance(outcome, Exception) or not due.must_notify(previous, outcome):
            return list
        event, prompt = self._event_for(due, outcome), self._store.to_prompt(outcome)
        return lambda: self._listeners.notify_update(prompt, event)

    def _mark_done(self, due: Due) -> None:
        """Remove it from the due keys, unless a newer change has arrived."""
        if self._due.get(due.key) is due:
            del self._due[due.key]
            self._retries.forget(due.key)

    def _schedule_retry(self, due: Due, error: Exception) -> Notification:
        """Keep it due, after all others and after a pause."""
        refused = isinstance(error, REFUSALS)
        pause = self._retries.failed(due.key, refused=refused)
        newest = self._due[due.key] = self._due.pop(due.key, due)
        if newest is not due:
            # A new event is a reason to try immediately.
            self._retries.end(due.key)
        logger.warning(
            "prompt %r was not refreshed, again in %.1f s: %s",
            due.key,
            pause,
            error,
            exc_info=None if isinstance(error, PromptOpsError) else error,
        )
        if isinstance(error, REFUSALS) and self._retries.begins_round(pause):
            return lambda: self._listeners.notify_refusal(error)
        return list

    def _event_for(self, due: Due, entry: CachedPrompt) -> Event:
        """Return the event for listeners."""
        version = entry.variant.fields["version"]
        return due.event or make_event(REFRESHED, due.key, self._environment, version)

    def take_reports(self) -> list[str]:
        """Return the reports that can be sent now."""
        now, due = time.monotonic(), []
        keys = self._cached_keys()
        if (
            self._has_hello
            and keys != self._reported_keys
            and now >= self._keys_reported_at + KEYS_REPORT_SECONDS
        ):
            self._reported_keys, self._keys_reported_at = keys, now
            due.append(_keys_report(keys))
        applied = self._applied()
        if self._owes_applied(applied) and now >= self._applied_at + APPLIED_SECONDS:
            self._reported_revision, self._applied_at = applied or 0, now
            due.append(json.dumps({"type": "applied", "revision": applied}))
        return due

    def seconds_to_next(self) -> float:
        """Return the seconds until the next due work; infinite if there is none."""
        self._add_outdated_copies()
        times = [float("inf")]
        if not self._has_hello and not self._is_old_server:
            times.append(self._hello_deadline)
        times += [self._ready_at(due) for due in self._due.values()]
        if self._has_hello and self._cached_keys() != self._reported_keys:
            times.append(self._keys_reported_at + KEYS_REPORT_SECONDS)
        if self._owes_applied(self._applied()):
            times.append(self._applied_at + APPLIED_SECONDS)
        return max(min(times) - time.monotonic(), 0.0)

    def _add_outdated_copies(self) -> None:
        for key, position, received in self._policy.take_outdated():
            self._due.setdefault(key, Due(key, (position.revision or 0) + 1, received, None))

    def _ready_at(self, due: Due) -> float:
        # Do not wait for a caller's first fetch: its end wakes the watch.
        if not due.is_deletion and self._policy.is_first_fetch(due.key):
            return float("inf")
        return self._retries.not_before(due.key)

    def _set_received(self, revision: int | None) -> None:
        self._received = revision
        self._policy.feed_position = FeedPosition(revision, self._epoch)

    def _cached_keys(self) -> frozenset[str]:
        return frozenset(list(self._store.cached))

    def _owes_applied(self, applied: int | None) -> bool:
        return self._has_hello and applied is not None and applied > self._reported_revision

    def _applied(self) -> int | None:
        if self._received is None or not self._due:
            return self._received
        first = min(due.first for due in self._due.values())
        return min(self._received, first - 1) if first > 0 else None

    def _handle_hello(self, message: dict[str, Any]) -> None:
        epoch, heartbeat_seconds = message.get("epoch"), message.get("heartbeat_seconds")
        if not _is_epoch(epoch):
            logger.debug("ignored a hello without an epoch")
            return
        if epoch != self._epoch:
            # A resync follows with the position of the new feed.
            self._epoch = epoch
            self._set_received(None)
        if (
            isinstance(heartbeat_seconds, (int, float))
            and 0 < heartbeat_seconds <= LONGEST_HEARTBEAT
        ):
            self.silence = SILENT_HEARTBEATS * heartbeat_seconds
        self._has_hello, self._is_old_server = True, False
        self._policy.server_has_epochs = True
        self._store.end_pauses()
        self._store.mark_watched()

    def _handle_numbered(self, message: dict[str, Any]) -> None:
        kind, revision = message.get("type"), message.get("revision")
        if type(revision) is not int or not 0 <= revision <= HIGHEST_REVISION:
            return
        if kind == "resync" and _is_epoch(message.get("epoch")):
            self._epoch = message["epoch"]
            self._handle_resync(revision)
        elif kind == "heartbeat":
            self._handle_heartbeat(revision)
        elif kind in TYPES and _has_key(message):
            self._handle_change(message, revision)

    def _handle_resync(self, revision: int) -> None:
        waiting, self._due = self._due, {}
        self._set_received(revision)
        self._reported_revision = -1
        self._retries.end_all()
        position = FeedPosition(revision, self._epoch)
        self._refetch_all(position)
        for key, due in waiting.items():
            # A deleted prompt may exist again; only the server knows.
            self._due[key] = Due(key, 0, position, None if due.is_deletion else due.event)

    def _handle_heartbeat(self, revision: int) -> None:
        if self._received is None:
            self._handle_resync(revision)
            return
        self._set_received(max(self._received, revision))
        if not self._due:
            self._store.confirm_all()

    def _handle_change(self, event: Event, revision: int) -> None:
        if self._received is not None:
            if revision <= self._received:
                return
            self._set_received(revision)
        key = event["key"]
        if self._listeners.update or self._policy.is_relevant(key):
            waiting = self._due.get(key)
            first = waiting.first if waiting is not None else revision
            self._make_due(Due(key, first, FeedPosition(revision, self._epoch), event))

    def _handle_unnumbered(self, message: dict[str, Any]) -> None:
        """Older servers send an event without a revision for each change, of any type."""
        if not _has_key(message):
            return
        key = message["key"]
        if self._listeners.update or self._policy.is_relevant(key):
            self._make_due(Due(key, 0, NO_POSITION, message))

    def _make_due(self, due: Due) -> None:
        self._due[due.key] = due
        self._retries.end(due.key)

    def _refetch_all(self, position: FeedPosition) -> None:
        for key in self._policy.relevant_keys():
            self._due.setdefault(key, Due(key, 0, position, None))


def _is_epoch(epoch: Any) -> TypeGuard[str]:
    return isinstance(epoch, str) and is_text(epoch)


def _has_key(message: dict[str, Any]) -> bool:
    key = message.get("key")
    return isinstance(key, str) and is_key(key)


def _keys_report(keys: frozenset[str]) -> str:
    report = json.dumps({"type": "holding", "keys": sorted(keys)})
    if len(keys) > MOST_KEYS or len(report) >= TOO_LONG_REPORT:
        return json.dumps({"type": "holding", "keys": ["*"]})
    return report
