"""What the server's messages ask for, and what is reported to it; without input or output."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import Any, TypeGuard

from promptops.bounded_json import MOST_CONTAINERS_OF_MESSAGE, parse_json
from promptops.errors import NotFoundError, PromptOpsError, ProtocolError
from promptops.fetching import NOTHING_TOLD, REFUSALS, Fetches
from promptops.listeners import DELETED, REFRESHED, Event, Listeners, Telling, made_event
from promptops.memory import Known, Stamp
from promptops.prompts import is_key, is_text
from promptops.retries import Retries

logger = logging.getLogger("promptops")

TYPES = {"prompt.updated", "prompt.published", DELETED}

# Servers of before greet nobody, and ping at least every 4 seconds.
GREETING_SECONDS = 1.0
SILENCE_SECONDS = 15.0
SILENT_BEATS = 2.5
LONGEST_BEAT = 24 * 60 * 60
HIGHEST_REVISION = 2**63 - 1

HOLDING_SECONDS, APPLIED_SECONDS = 0.2, 0.1
MOST_KEYS = 1000
TOO_LONG_REPORT = 64 * 1024


@dataclass(frozen=True)
class Due:
    """A prompt that has to be fetched anew.

    `first` is the revision of the oldest change that is not applied, 0 where all may be; `stamp`
    the one that the answer has to be of. Without an `event` it is told only if it has changed.
    """

    key: str
    first: int
    stamp: Stamp
    event: Event | None

    @property
    def is_deletion(self) -> bool:
        """Whether the newest change took the prompt away."""
        return self.event is not None and self.event.get("type") == DELETED

    def is_worth_telling(self, before: Known | None, now: Known) -> bool:
        """Whether listeners are told of what was fetched."""
        return self.event is not None or before is None or before.whole.data != now.whole.data


class Following:
    """The place in the feed, the keys that are due in order, and the reports that are owed.

    Used by the one thread or task that watches.
    """

    def __init__(self, fetches: Fetches, environment: str, listeners: Listeners) -> None:
        self._fetches = fetches
        self._memory = fetches.memory
        self._environment = environment
        self._listeners = listeners
        self._epoch: str | None = None
        # The newest revision that was told of, None while nothing is known of the feed.
        self._told: int | None = None
        self._due: dict[str, Due] = {}
        self._retries = Retries()
        self.disconnected()

    def disconnected(self) -> None:
        """What belongs to a connection ends with it."""
        self.silence = SILENCE_SECONDS
        self._greeted = self._is_old_server = False
        self._holding: frozenset[str] = frozenset()
        self._holding_at = self._applied_at = 0.0
        self._reported = -1

    def connected(self) -> None:
        """A connection stands; what was told and not applied is told again."""
        self._set_told(self._applied())
        self._retries.end_all()
        self._greeting_until = time.monotonic() + GREETING_SECONDS

    def position(self) -> dict[str, str]:
        """The parameters of the next connection that say where to go on."""
        applied = self._applied()
        if applied is None or self._epoch is None:
            return {"since": "0"}
        return {"since": str(applied), "epoch": self._epoch}

    def hear(self, text: str) -> None:
        """Take a message of the server."""
        try:
            message = parse_json(text, MOST_CONTAINERS_OF_MESSAGE)
        except ProtocolError:
            message = None
        if not isinstance(message, dict):
            logger.debug("ignored a message that is no object: %.200s", text)
        elif message.get("type") == "hello":
            self._hello(message)
        elif self._greeted:
            self._numbered(message)
        else:
            self._unnumbered(message)

    def look_at_the_clock(self) -> None:
        """A server that does not greet is one of before."""
        waiting = not self._greeted and not self._is_old_server
        if waiting and time.monotonic() >= self._greeting_until:
            self._is_old_server = True
            self._refresh_all(NOTHING_TOLD)
            self._memory.watched()

    def next_due(self) -> Due | None:
        """What has to be fetched, or forgotten, now, if anything has."""
        self._look_for_copies_behind()
        now = time.monotonic()
        ready = (due for due in list(self._due.values()) if self._ready_at(due) <= now)
        return next(ready, None)

    def forget(self, due: Due) -> None:
        """The prompt was deleted; what is newer than that stays."""
        if self.is_here(due) is None:
            self._fetches.forget(due.key, due.stamp, due.event)
        self._done(due)

    def is_here(self, due: Due) -> Known | None:
        """What is held, where the server need not be asked for it."""
        held = self._memory.held.get(due.key)
        known = held is not None and held.stamp.epoch == due.stamp.epoch is not None
        return held if known and held and not held.stamp.is_before(due.stamp) else None

    def refetched(self, due: Due, before: Known | None, outcome: Known | Exception) -> Telling:
        """What came of it, where `before` was held until then; answers what is to be told."""
        if isinstance(outcome, Exception) and not isinstance(outcome, NotFoundError):
            return self._failed(due, outcome)
        self._retries.succeeded(due.key)
        self._done(due)
        if isinstance(outcome, Exception) or not due.is_worth_telling(before, outcome):
            return list
        event, prompt = self._event_of(due, outcome), self._memory.prompt(outcome)
        return lambda: self._listeners.updated(prompt, event)

    def _done(self, due: Due) -> None:
        """It is applied, unless more has come meanwhile."""
        if self._due.get(due.key) is due:
            del self._due[due.key]
            self._retries.forget(due.key)

    def _failed(self, due: Due, error: Exception) -> Telling:
        """It stays due, behind all others, for after a pause."""
        refused = isinstance(error, REFUSALS)
        pause = self._retries.failed(due.key, refused=refused)
        newest = self._due[due.key] = self._due.pop(due.key, due)
        if newest is not due:
            # An event that came meanwhile is a reason to try at once.
            self._retries.end(due.key)
        logger.warning(
            "prompt %r was not refreshed, again in %.1f s: %s",
            due.key,
            pause,
            error,
            exc_info=None if isinstance(error, PromptOpsError) else error,
        )
        if isinstance(error, REFUSALS) and self._retries.begins_round(pause):
            return lambda: self._listeners.refused(error)
        return list

    def _event_of(self, due: Due, known: Known) -> Event:
        """What listeners are told of it."""
        version = known.variant.fields["version"]
        return due.event or made_event(REFRESHED, due.key, self._environment, version)

    def reports(self) -> list[str]:
        """The messages that may be sent by now."""
        now, due = time.monotonic(), []
        held = self._held_keys()
        if self._greeted and held != self._holding and now >= self._holding_at + HOLDING_SECONDS:
            self._holding, self._holding_at = held, now
            due.append(_holding(held))
        applied = self._applied()
        if self._owes(applied) and now >= self._applied_at + APPLIED_SECONDS:
            self._reported, self._applied_at = applied or 0, now
            due.append(json.dumps({"type": "applied", "revision": applied}))
        return due

    def seconds_to_next(self) -> float:
        """When there is something to do without a message; infinite if there is not."""
        self._look_for_copies_behind()
        times = [float("inf")]
        if not self._greeted and not self._is_old_server:
            times.append(self._greeting_until)
        times += [self._ready_at(due) for due in self._due.values()]
        if self._greeted and self._held_keys() != self._holding:
            times.append(self._holding_at + HOLDING_SECONDS)
        if self._owes(self._applied()):
            times.append(self._applied_at + APPLIED_SECONDS)
        return max(min(times) - time.monotonic(), 0.0)

    def _look_for_copies_behind(self) -> None:
        for key, stamp, told in self._fetches.take_behind():
            self._due.setdefault(key, Due(key, (stamp.revision or 0) + 1, told, None))

    def _ready_at(self, due: Due) -> float:
        # The first fetch, for a caller, is not waited for: its end wakes the watch.
        if not due.is_deletion and self._fetches.is_first(due.key):
            return float("inf")
        return self._retries.not_before(due.key)

    def _set_told(self, revision: int | None) -> None:
        self._told = revision
        self._fetches.told = Stamp(revision, self._epoch)

    def _held_keys(self) -> frozenset[str]:
        return frozenset(list(self._memory.held))

    def _owes(self, applied: int | None) -> bool:
        return self._greeted and applied is not None and applied > self._reported

    def _applied(self) -> int | None:
        if self._told is None or not self._due:
            return self._told
        first = min(due.first for due in self._due.values())
        return min(self._told, first - 1) if first > 0 else None

    def _hello(self, message: dict[str, Any]) -> None:
        epoch, beat = message.get("epoch"), message.get("heartbeat_seconds")
        if not _is_epoch(epoch):
            logger.debug("ignored a hello without an epoch")
            return
        if epoch != self._epoch:
            # A resync follows, which says from where on the new feed is told.
            self._epoch = epoch
            self._set_told(None)
        if isinstance(beat, (int, float)) and 0 < beat <= LONGEST_BEAT:
            self.silence = SILENT_BEATS * beat
        self._greeted, self._is_old_server = True, False
        self._fetches.server_has_epochs = True
        self._memory.end_pauses()
        self._memory.watched()

    def _numbered(self, message: dict[str, Any]) -> None:
        kind, revision = message.get("type"), message.get("revision")
        if type(revision) is not int or not 0 <= revision <= HIGHEST_REVISION:
            return
        if kind == "resync" and _is_epoch(message.get("epoch")):
            self._epoch = message["epoch"]
            self._resync(revision)
        elif kind == "heartbeat":
            self._heartbeat(revision)
        elif kind in TYPES and _has_key(message):
            self._changed(message, revision)

    def _resync(self, revision: int) -> None:
        waiting, self._due = self._due, {}
        self._set_told(revision)
        self._reported = -1
        self._retries.end_all()
        stamp = Stamp(revision, self._epoch)
        self._refresh_all(stamp)
        for key, due in waiting.items():
            # What was deleted may be there again: only the server knows.
            self._due[key] = Due(key, 0, stamp, None if due.is_deletion else due.event)

    def _heartbeat(self, revision: int) -> None:
        if self._told is None:
            self._resync(revision)
            return
        self._set_told(max(self._told, revision))
        if not self._due:
            self._memory.confirmed()

    def _changed(self, event: Event, revision: int) -> None:
        if self._told is not None:
            if revision <= self._told:
                return
            self._set_told(revision)
        key = event["key"]
        if self._listeners.update or self._fetches.concerns(key):
            waiting = self._due.get(key)
            first = waiting.first if waiting is not None else revision
            self._make_due(Due(key, first, Stamp(revision, self._epoch), event))

    def _unnumbered(self, message: dict[str, Any]) -> None:
        """Servers of before send an event without a revision for each change, of any type."""
        if not _has_key(message):
            return
        key = message["key"]
        if self._listeners.update or self._fetches.concerns(key):
            self._make_due(Due(key, 0, NOTHING_TOLD, message))

    def _make_due(self, due: Due) -> None:
        self._due[due.key] = due
        self._retries.end(due.key)

    def _refresh_all(self, stamp: Stamp) -> None:
        for key in self._fetches.concerned_keys():
            self._due.setdefault(key, Due(key, 0, stamp, None))


def _is_epoch(epoch: Any) -> TypeGuard[str]:
    return isinstance(epoch, str) and is_text(epoch)


def _has_key(message: dict[str, Any]) -> bool:
    key = message.get("key")
    return isinstance(key, str) and is_key(key)


def _holding(keys: frozenset[str]) -> str:
    report = json.dumps({"type": "holding", "keys": sorted(keys)})
    if len(keys) > MOST_KEYS or len(report) >= TOO_LONG_REPORT:
        return json.dumps({"type": "holding", "keys": ["*"]})
    return report
