"""The rules for requests of prompts and for their responses, without input and output."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from promptops.absence import states_absence
from promptops.bounded_json import parse_json
from promptops.bundle import Bundle
from promptops.disk_cache import DiskCache
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
from promptops.fetch_outage import FetchOutage
from promptops.http_response import Response
from promptops.listeners import DELETED, Event, make_event
from promptops.prompt_store import CachedPrompt, Failure, FeedPosition, PromptStore
from promptops.prompts import parse_prompt
from promptops.snapshot import parse_snapshot

SERVER = "server"
REFUSALS = (UnauthorizedError, ForbiddenError)
# No prompt has this key, so it can mark the snapshot among failing keys.
SNAPSHOT = ""
NO_POSITION = FeedPosition(None, None)
MAX_ATTEMPTS = 2
SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 0.15
EPOCH, REVISION = "x-promptops-epoch", "x-promptops-revision"


@dataclass(frozen=True)
class PromptScope:
    """Which prompts a client reads; an empty workspace selects the one of the token."""

    namespace: str
    workspace: str = ""


class FetchPolicy:
    """The rules of a fetch: its request, its outcome, its effect on the cache, and notifications.

     `on_refused` is called when the server refuses the token, `on_removed` when a cached prompt no
    longer exists.
    """

    def __init__(
        self,
        store: PromptStore,
        scope: PromptScope,
        disk: DiskCache | None,
        bundle: Bundle | None,
        on_refused: Callable[[PromptOpsError], object],
        on_removed: Callable[[Event], object],
    ) -> None:
        self.store = store
        self._scope = scope
        self._disk = disk
        self._bundle = bundle
        self._on_refused = on_refused
        self._on_removed = on_removed
        # The positions that the watch waits for: older responses are rejected.
        self._required_positions: dict[str, FeedPosition] = {}
        # Keys that the watch refetches; it notifies of refusals itself.
        self._refetched_by_watch: set[str] = set()
        # Keeps the cache and the copy on disk consistent.
        self._lock = threading.Lock()
        # Once true, every 404 of PromptOps has an epoch.
        self.server_has_epochs = bundle is not None and bundle.has_epoch
        # Set by the watch: the position it has received, and a function that wakes it.
        self.feed_position = NO_POSITION
        self.wake_watch: Callable[[], object] = _nothing
        # The running fetches, and the watch's position when each began.
        self._running: dict[str, FeedPosition] = {}
        # New copies that are older than the position at the start of their fetch, and that
        # position. No event covers the changes in between.
        self._outdated: deque[tuple[str, FeedPosition, FeedPosition]] = deque()
        # The number of running snapshots, each of which may bring any prompt.
        self._snapshots = 0
        self._outage = FetchOutage()

    @contextlib.contextmanager
    def running_fetch(self, key: str) -> Iterator[None]:
        """The duration of a fetch, from before its request until its result is cached."""
        # Mark the key before reading the position, so that whoever moves it later sees the mark.
        self._running[key] = NO_POSITION
        self._running[key] = self.feed_position
        try:
            yield
        finally:
            self._running.pop(key, None)
            self.wake_watch()

    def is_first_fetch(self, key: str) -> bool:
        """Whether the prompt is being fetched and not cached yet."""
        return key in self._running and key not in self.store.cached

    def is_relevant(self, key: str) -> bool:
        """Whether the prompt is cached, or may be soon."""
        # In this order, because a prompt is cached before its fetch ends.
        is_fetched = self._snapshots > 0 or key in self._running
        return is_fetched or self.store.find_copy(key) is not None

    def relevant_keys(self) -> list[str]:
        """Return the keys that are cached or may be soon."""
        store = self.store
        keys = [*list(self._running), *list(store.inherited), *list(store.cached)]
        return list(dict.fromkeys(keys))

    def take_outdated(self) -> list[tuple[str, FeedPosition, FeedPosition]]:
        """Return the outdated new copies: key, position of the copy, position of the watch."""
        return [self._outdated.popleft() for _ in range(len(self._outdated))]

    @contextlib.contextmanager
    def refetching(self, key: str, position: FeedPosition) -> Iterator[None]:
        """The duration of a refetch that needs this position or a later one."""
        self._required_positions[key] = position
        self._refetched_by_watch.add(key)
        try:
            yield
        finally:
            self._refetched_by_watch.discard(key)

    def prompt_request(self, key: str) -> tuple[str, str | None]:
        """Return the path and the ETag of the request."""
        query = self._query(self._required_positions.get(key))
        copy = self.store.find_copy(key)
        path = f"/api/sdk/prompts/{quote(key, safe='')}?{_encoded(query | {'full': 'true'})}"
        return path, copy.etag if copy else None

    def snapshot_request(self) -> str:
        """Return the path of the snapshot."""
        return f"/api/sdk/snapshot?{_encoded(self._query(self.feed_position))}"

    def apply_response(self, key: str, response: Response) -> CachedPrompt:
        """Cache the response and return the copy; raises the error that the response means."""
        position, entry = self._note_response(response), None
        if response.status == 200:
            full_prompt = parse_prompt(parse_json(response.body), key)
            entry = CachedPrompt(
                full_prompt, full_prompt.drawn(), SERVER, position, time.monotonic(), response.etag
            )
        with self._lock:
            self._check_not_stale(key, position, response.status)
            copy, is_first = self.store.find_copy(key), key not in self.store.cached
            if response.status in {200, 304}:
                self._outage.record_success(key)
            if response.status == 304 and copy is not None:
                entry = self.store.confirm_copy(key, copy, position, response.etag)
                if is_first:
                    self._note_outdated(key, entry)
                return entry
            if entry is None:
                raise self._error_of(response, key)
            stored = self.store.store(key, entry)
            if is_first:
                self._note_outdated(key, stored)
            if stored is entry and self._disk is not None:
                self._disk.write(key, entry)
            return stored

    def record_failure(self, key: str, error: PromptOpsError) -> Failure:
        """Record a fetch that failed after all attempts."""
        if isinstance(error, NotFoundError):
            self._outage.record_success(key)
            self.remove_prompt(key)
            return Failure(error)
        self._note_failure(key, error, reported_by_watch=key in self._refetched_by_watch)
        return self.store.record_failure(key, error, self.find_fallback(key))

    @contextlib.contextmanager
    def running_snapshot(self) -> Iterator[None]:
        """The duration of a snapshot's fetch, until its prompts are cached."""
        with self._lock:
            self._snapshots += 1
        try:
            yield
        finally:
            with self._lock:
                self._snapshots -= 1

    def apply_snapshot(self, response: Response) -> Iterator[str]:
        """Cache all prompts of a snapshot; yields each key after it is cached.

        Raises the error that the response means.
        """
        position = self._note_response(response)
        if response.status != 200:
            raise self._error_of(response)
        snapshot = parse_snapshot(response.body, self._scope.namespace, "the snapshot")
        self._outage.record_success(SNAPSHOT)
        for full_prompt in snapshot.prompts:
            entry = CachedPrompt(
                full_prompt, full_prompt.drawn(), SERVER, position, time.monotonic()
            )
            if self._store_from_snapshot(full_prompt.served.fields["key"], entry):
                yield full_prompt.served.fields["key"]

    def record_snapshot_failure(self, error: PromptOpsError) -> None:
        """Record a snapshot that could not be fetched; cached copies stay."""
        self._note_failure(SNAPSHOT, error, reported_by_watch=False)

    def remove_prompt(
        self, key: str, deleted: FeedPosition | None = None, event: Event | None = None
    ) -> None:
        """Remove a prompt that does not exist, with the server's event if there is one. Responses
        from before the position `deleted` do not bring it back."""
        with self._lock:
            if deleted is not None:
                self._required_positions[key] = deleted
            was_cached = self.store.remove(key)
            if self._disk is not None:
                self._disk.remove(key)
        if was_cached:
            self._on_removed(event or make_event(DELETED, key, self._scope.namespace, ""))

    def reset(self) -> None:
        """Reset in a child process or a new event loop, where no earlier fetch ends."""
        self._lock = threading.Lock()
        self._running = {}
        self._refetched_by_watch = set()
        self._snapshots = 0
        self._outage = FetchOutage()
        self.watch_ended()

    def watch_ended(self) -> None:
        """Reset after the watch has ended."""
        self.feed_position, self.wake_watch = NO_POSITION, _nothing

    def find_fallback(self, key: str) -> CachedPrompt | None:
        """Return the copy to use while nothing is cached."""
        if key in self.store.cached:
            return None
        fallback = self.store.inherited.get(key)
        if fallback is None and self._disk is not None:
            fallback = self._disk.read(key)
        if fallback is None and self._bundle is not None:
            fallback = self._bundle.read(key)
        return fallback

    def _query(self, required: FeedPosition | None) -> dict[str, str]:
        """Return the parameters of each request: the scope, and the required revision."""
        query = {"env": self._scope.namespace}
        if self._scope.workspace:
            query["workspace"] = self._scope.workspace
        if required is not None and required.revision is not None:
            query |= {"min_revision": str(required.revision), "epoch": required.epoch or ""}
        return query

    def _note_response(self, response: Response) -> FeedPosition:
        """Note that the server responded; returns the position of the response."""
        position = _position_of(response)
        self.store.record_response()
        self.server_has_epochs = self.server_has_epochs or bool(position.epoch)
        return position

    def _error_of(self, response: Response, key: str = "") -> PromptOpsError:
        """Return the error that a response means; without a key, of a snapshot."""
        if response.status == 404:
            has_epochs = self.server_has_epochs or not key or self._copy_has_epoch(key)
            if not states_absence(response.body, response.headers.get(EPOCH), has_epochs):
                return ProtocolError(
                    "received a 404 that is not from PromptOps; check the server's address"
                )
        location = response.headers.get("Location")
        return response_error(response.status, response.body, location)

    def _copy_has_epoch(self, key: str) -> bool:
        """Whether a copy of the prompt comes from a server with epochs."""
        entry = self.store.find_copy(key) or self.find_fallback(key)
        return entry is not None and bool(entry.position.epoch)

    def _note_failure(self, key: str, error: PromptOpsError, *, reported_by_watch: bool) -> None:
        if isinstance(error, RequestTimeoutError):
            self.store.record_timeout()
        if reported_by_watch:
            return
        # A watch without a connection has logged that already.
        if self.wake_watch is _nothing or self.store.is_watched:
            self._outage.record_failure(key, error)
        if isinstance(error, REFUSALS):
            self._on_refused(error)

    def _store_from_snapshot(self, key: str, entry: CachedPrompt) -> bool:
        """Cache a snapshot's prompt unless a newer one is known; returns if it is cached."""
        with self._lock:
            try:
                self._check_not_stale(key, entry.position, 200)
            except ServerError:
                return key in self.store.cached
            copy = self.store.find_copy(key)
            if copy is not None and copy.full_prompt.data == entry.full_prompt.data:
                # Its ETag is still valid.
                self.store.confirm_copy(key, copy, entry.position, None)
                return True
            if self.store.store(key, entry) is entry and self._disk is not None:
                self._disk.write(key, entry)
            return True

    def _note_outdated(self, key: str, entry: CachedPrompt) -> None:
        feed_position = self._running.get(key, NO_POSITION)
        if entry.position.is_before(feed_position):
            self._outdated.append((key, entry.position, feed_position))

    def _check_not_stale(self, key: str, position: FeedPosition, status: int) -> None:
        if status not in {200, 304, 404}:
            return
        copy = self.store.find_copy(key)
        for newest in (
            self._required_positions.get(key),
            copy.position if copy is not None else None,
        ):
            if newest is not None and position.is_before(newest):
                message = f"revision {position.revision} is too old, {newest.revision} is required"
                raise ServerError(503, message)


def _nothing() -> None:
    """Do nothing, because there is no watch."""


def pause_before_retry(error: PromptOpsError, attempts: int, deadline: float) -> float | None:
    """Return the pause before the next attempt, or None if that was the last."""
    pause = random.uniform(SHORTEST_PAUSE, LONGEST_PAUSE)  # noqa: S311 (spreads load)
    if (
        isinstance(error, (NotFoundError, *REFUSALS))
        or attempts >= MAX_ATTEMPTS
        or time.monotonic() + pause >= deadline
    ):
        return None
    return pause


def _encoded(query: dict[str, str]) -> str:
    return urlencode(query, quote_via=quote, safe="")


def _position_of(response: Response) -> FeedPosition:
    revision = response.headers.get(REVISION, "")
    is_valid = revision.isascii() and revision.isdecimal() and len(revision) < 20
    return FeedPosition(int(revision) if is_valid else None, response.headers.get(EPOCH))
