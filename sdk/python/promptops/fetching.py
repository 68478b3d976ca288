"""What is asked of the server for a prompt, and what its answers mean; without input or output."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from promptops.absence import says_absent
from promptops.bounded_json import parse_json
from promptops.errors import (
    ForbiddenError,
    NotFoundError,
    PromptOpsError,
    ProtocolError,
    RequestTimeoutError,
    ServerError,
    UnauthorizedError,
    response_error,
)
from promptops.listeners import DELETED, Event, made_event
from promptops.memory import Failure, Known, Memory, Stamp
from promptops.outages import Outages
from promptops.prompts import parse_prompt
from promptops.responses import Response
from promptops.saved import Bundle, Disk
from promptops.snapshot import parse_snapshot

SERVER = "server"
REFUSALS = (UnauthorizedError, ForbiddenError)
# Not a key, so that it stands beside those that fail.
SNAPSHOT = ""
NOTHING_TOLD = Stamp(None, None)
TRIES = 2
SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 0.15
EPOCH, REVISION = "x-promptops-epoch", "x-promptops-revision"


@dataclass(frozen=True)
class Place:
    """Which prompts a client reads; the empty workspace is the one that the token means."""

    namespace: str
    workspace: str = ""


class Fetches:
    """The rules of a fetch: its request, its outcome, what is kept of it, and what is told.

    `on_refused` is told of a token that is refused, `on_gone` of a prompt that was held and is
    not there any more.
    """

    def __init__(
        self,
        memory: Memory,
        place: Place,
        disk: Disk | None,
        bundle: Bundle | None,
        on_refused: Callable[[PromptOpsError], object],
        on_gone: Callable[[Event], object],
    ) -> None:
        self.memory = memory
        self._place = place
        self._disk = disk
        self._bundle = bundle
        self._on_refused = on_refused
        self._on_gone = on_gone
        # What the watch was told of and waits for: answers from before don't do.
        self._wanted: dict[str, Stamp] = {}
        # What the watch tells of a refusal by itself.
        self._asked_by_watch: set[str] = set()
        # Between what is held and the copy on disk nothing else may happen to a prompt.
        self._lock = threading.Lock()
        # Since when it has, every 404 of its own has one, too.
        self.server_has_epochs = bundle is not None and bundle.has_epoch
        # Set by the watch: up to where it has been told, and what wakes it.
        self.told = NOTHING_TOLD
        self.wake_watch: Callable[[], object] = _nothing
        # Those being fetched, and up to where the watch had been told when that began.
        self._under_way: dict[str, Stamp] = {}
        # New copies that are of before that, and what had been told: no event will tell of what
        # lies between.
        self._behind: deque[tuple[str, Stamp, Stamp]] = deque()
        # How many snapshots are being fetched, each of which may bring any prompt.
        self._snapshots = 0
        self._outages = Outages()

    @contextlib.contextmanager
    def under_way(self, key: str) -> Iterator[None]:
        """A fetch, from before its request until what came of it is held."""
        # First the mark, then the place: whoever tells of more after that sees the mark.
        self._under_way[key] = NOTHING_TOLD
        self._under_way[key] = self.told
        try:
            yield
        finally:
            self._under_way.pop(key, None)
            self.wake_watch()

    def is_first(self, key: str) -> bool:
        """Whether the prompt is being fetched, and not held yet."""
        return key in self._under_way and key not in self.memory.held

    def concerns(self, key: str) -> bool:
        """Whether the prompt is held, or may be so soon."""
        # In this order: it is held before its fetch ends.
        is_fetched = self._snapshots > 0 or key in self._under_way
        return is_fetched or self.memory.copy(key) is not None

    def concerned_keys(self) -> list[str]:
        """Those held and those that may be so soon."""
        memory = self.memory
        keys = [*list(self._under_way), *list(memory.inherited), *list(memory.held)]
        return list(dict.fromkeys(keys))

    def take_behind(self) -> list[tuple[str, Stamp, Stamp]]:
        """The new copies that are older than what had been told: key, their stamp, the other."""
        return [self._behind.popleft() for _ in range(len(self._behind))]

    @contextlib.contextmanager
    def asked_by_watch(self, key: str, stamp: Stamp) -> Iterator[None]:
        """A fetch whose answer has to be of this revision, or a later one."""
        self._wanted[key] = stamp
        self._asked_by_watch.add(key)
        try:
            yield
        finally:
            self._asked_by_watch.discard(key)

    def request(self, key: str) -> tuple[str, str | None]:
        """Path and ETag to ask with."""
        query = self._query(self._wanted.get(key))
        copy = self.memory.copy(key)
        path = f"/api/sdk/prompts/{quote(key, safe='')}?{_encoded(query | {'full': 'true'})}"
        return path, copy.etag if copy else None

    def snapshot_request(self) -> str:
        """The path that all prompts of the environment are asked for with."""
        return f"/api/sdk/snapshot?{_encoded(self._query(self.told))}"

    def take(self, key: str, response: Response) -> Known:
        """What is held after this answer; raises what it means if it is no prompt."""
        stamp, known = self._heard(response), None
        if response.status == 200:
            whole = parse_prompt(parse_json(response.body), key)
            known = Known(whole, whole.drawn(), SERVER, stamp, time.monotonic(), response.etag)
        with self._lock:
            self._check_not_stale(key, stamp, response.status)
            copy, is_first = self.memory.copy(key), key not in self.memory.held
            if response.status in {200, 304}:
                self._outages.succeeded(key)
            if response.status == 304 and copy is not None:
                known = self.memory.confirm(key, copy, stamp, response.etag)
                if is_first:
                    self._note_behind(key, known)
                return known
            if known is None:
                raise self._refusal(response, key)
            kept = self.memory.keep(key, known)
            if is_first:
                self._note_behind(key, kept)
            if kept is known and self._disk is not None:
                self._disk.write(key, known)
            return kept

    def fail(self, key: str, error: PromptOpsError) -> Failure:
        """Draw the consequences of a fetch that has failed for good."""
        if isinstance(error, NotFoundError):
            self._outages.succeeded(key)
            self.forget(key)
            return Failure(error)
        self._note_failure(key, error, told_by_watch=key in self._asked_by_watch)
        return self.memory.fail(key, error, self.fallback(key))

    @contextlib.contextmanager
    def snapshot_under_way(self) -> Iterator[None]:
        """The fetch of a snapshot, from before its request until what came of it is held."""
        with self._lock:
            self._snapshots += 1
        try:
            yield
        finally:
            with self._lock:
                self._snapshots -= 1

    def take_snapshot(self, response: Response) -> Iterator[str]:
        """Hold all prompts of this answer; gives the key of each once it is held.

        Raises what the answer means if it is no snapshot.
        """
        stamp = self._heard(response)
        if response.status != 200:
            raise self._refusal(response)
        snapshot = parse_snapshot(response.body, self._place.namespace, "the snapshot")
        self._outages.succeeded(SNAPSHOT)
        for whole in snapshot.prompts:
            known = Known(whole, whole.drawn(), SERVER, stamp, time.monotonic())
            if self._keep_of_snapshot(whole.served.fields["key"], known):
                yield whole.served.fields["key"]

    def fail_snapshot(self, error: PromptOpsError) -> None:
        """Draw the consequences of a snapshot that could not be fetched; what is held stays."""
        self._note_failure(SNAPSHOT, error, told_by_watch=False)

    def forget(self, key: str, deleted: Stamp | None = None, event: Event | None = None) -> None:
        """There is no such prompt, as the event told, if one did; no answer from before it was
        `deleted` brings it back."""
        with self._lock:
            if deleted is not None:
                self._wanted[key] = deleted
            was_held = self.memory.forget(key)
            if self._disk is not None:
                self._disk.remove(key)
        if was_held:
            self._on_gone(event or made_event(DELETED, key, self._place.namespace, ""))

    def begin_anew(self) -> None:
        """In a child process or a new event loop, where nothing that had begun ends any more."""
        self._lock = threading.Lock()
        self._under_way = {}
        self._asked_by_watch = set()
        self._snapshots = 0
        self._outages = Outages()
        self.watch_ended()

    def watch_ended(self) -> None:
        """There is no watch any more."""
        self.told, self.wake_watch = NOTHING_TOLD, _nothing

    def fallback(self, key: str) -> Known | None:
        """The copy that is answered while nothing is held."""
        if key in self.memory.held:
            return None
        found = self.memory.inherited.get(key)
        if found is None and self._disk is not None:
            found = self._disk.read(key)
        if found is None and self._bundle is not None:
            found = self._bundle.read(key)
        return found

    def _query(self, wanted: Stamp | None) -> dict[str, str]:
        """What each request says: the place, and the revision that the answer has to be of."""
        query = {"env": self._place.namespace}
        if self._place.workspace:
            query["workspace"] = self._place.workspace
        if wanted is not None and wanted.revision is not None:
            query |= {"min_revision": str(wanted.revision), "epoch": wanted.epoch or ""}
        return query

    def _heard(self, response: Response) -> Stamp:
        """Something has answered. Returns when its answer is of."""
        stamp = _stamp(response)
        self.memory.heard()
        self.server_has_epochs = self.server_has_epochs or bool(stamp.epoch)
        return stamp

    def _refusal(self, response: Response, key: str = "") -> PromptOpsError:
        """The error that an answer means; without a key it is the answer to a snapshot."""
        if response.status == 404:
            has_epochs = self.server_has_epochs or not key or self._has_epoch(key)
            if not says_absent(response.body, response.headers.get(EPOCH), has_epochs):
                return ProtocolError("404, but not from PromptOps: check the server's address")
        location = response.headers.get("Location")
        return response_error(response.status, response.body, location)

    def _has_epoch(self, key: str) -> bool:
        """Whether a copy of the prompt is of a server with epochs."""
        known = self.memory.copy(key) or self.fallback(key)
        return known is not None and bool(known.stamp.epoch)

    def _note_failure(self, key: str, error: PromptOpsError, *, told_by_watch: bool) -> None:
        if isinstance(error, RequestTimeoutError):
            self.memory.timed_out()
        if told_by_watch:
            return
        # A watch that has lost its connection has logged that already.
        if self.wake_watch is _nothing or self.memory.is_watched:
            self._outages.failed(key, error)
        if isinstance(error, REFUSALS):
            self._on_refused(error)

    def _keep_of_snapshot(self, key: str, known: Known) -> bool:
        """Hold it, unless something newer is known of it. Returns whether it is held now."""
        with self._lock:
            try:
                self._check_not_stale(key, known.stamp, 200)
            except ServerError:
                return key in self.memory.held
            copy = self.memory.copy(key)
            if copy is not None and copy.whole.data == known.whole.data:
                # Its ETag is still right.
                self.memory.confirm(key, copy, known.stamp, None)
                return True
            if self.memory.keep(key, known) is known and self._disk is not None:
                self._disk.write(key, known)
            return True

    def _note_behind(self, key: str, known: Known) -> None:
        told = self._under_way.get(key, NOTHING_TOLD)
        if known.stamp.is_before(told):
            self._behind.append((key, known.stamp, told))

    def _check_not_stale(self, key: str, stamp: Stamp, status: int) -> None:
        if status not in {200, 304, 404}:
            return
        copy = self.memory.copy(key)
        for newest in (self._wanted.get(key), copy.stamp if copy is not None else None):
            if newest is not None and stamp.is_before(newest):
                words = f"revision {stamp.revision} is too old, {newest.revision} is known"
                raise ServerError(503, words)


def _nothing() -> None:
    """There is no watch."""


def pause_before_another(error: PromptOpsError, tried: int, deadline: float) -> float | None:
    """How long to wait before the next try of a fetch, or None if that was the last."""
    pause = random.uniform(SHORTEST_PAUSE, LONGEST_PAUSE)  # noqa: S311 (spreads load)
    if (
        isinstance(error, (NotFoundError, *REFUSALS))
        or tried >= TRIES
        or time.monotonic() + pause >= deadline
    ):
        return None
    return pause


def _encoded(query: dict[str, str]) -> str:
    return urlencode(query, quote_via=quote, safe="")


def _stamp(response: Response) -> Stamp:
    revision = response.headers.get(REVISION, "")
    known = revision.isascii() and revision.isdecimal() and len(revision) < 20
    return Stamp(int(revision) if known else None, response.headers.get(EPOCH))
