"""The cached copies of prompts, and failures to fetch them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from promptops.errors import PromptOpsError
from promptops.prompts import FullPrompt, Prompt, Variant

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
# After a time-out the server counts as hanging for this long, or until it responds.
HANGING_SECONDS = 30.0


@dataclass(frozen=True)
class FeedPosition:
    """A position in the change feed; without a revision if the server has no feed."""

    revision: int | None
    epoch: str | None

    def is_before(self, other: FeedPosition) -> bool:
        """Whether it is older. Revisions of different epochs can't be compared."""
        if self.revision is None or other.revision is None or self.epoch != other.epoch:
            return False
        return self.revision < other.revision


@dataclass(frozen=True)
class CachedPrompt:
    """A cached copy of a prompt, with the variant that was drawn by its fetch.

     `confirmed_at`, in seconds of ``time.monotonic``, is when the server last confirmed this copy,
    None if unknown. `revision` is None in a bundle.
    """

    full_prompt: FullPrompt
    variant: Variant
    source: str
    position: FeedPosition
    confirmed_at: float | None
    etag: str | None = None

    def __post_init__(self) -> None:
        # A shortcut for rendering without a subject.
        object.__setattr__(self, "render", self.variant.template.render)

    render: Callable[..., str] = field(init=False, repr=False, compare=False)

    def variant_for(self, subject: str | None) -> Variant:
        """Return the variant of this subject, or the drawn one for None."""
        return self.variant if subject is None else self.full_prompt.of(subject)


@dataclass(frozen=True)
class Failure:
    """Why a fetch failed, which copy replaces it, and until when.

    `since` and `until` are in seconds of ``time.monotonic``.
    """

    error: PromptOpsError
    fallback: CachedPrompt | None = None
    since: float = 0.0
    until: float = 0.0


# The outcome of a fetch.
Outcome = CachedPrompt | Failure


class PromptStore:
    """The prompts of a client. All threads share it: each method makes one change of one dict and
    never waits.

     A cached copy has to be fetched again once it is `max_age` seconds old, but not while
    `is_watched`: then a watch keeps it up to date.
    """

    def __init__(self, max_age: float) -> None:
        self.cached: dict[str, CachedPrompt] = {}
        # Copies from before a fork, or from an event loop that has ended. The client asks the
        # server before it uses them.
        self.inherited: dict[str, CachedPrompt] = {}
        self.failures: dict[str, Failure] = {}
        self.is_watched = False
        self._max_age = max_age
        self._confirmed_at = 0.0
        self._pauses: dict[str, float] = {}
        self._pauses_ended_at = 0.0
        self._hanging_until = 0.0

    def find_copy(self, key: str) -> CachedPrompt | None:
        """Return the cached or inherited copy."""
        return self.cached.get(key) or self.inherited.get(key)

    def inherit_all(self) -> None:
        """Mark all copies as inherited, in a new process or event loop.

        The dict `cached` stays the same object, because others refer to it.
        """
        for key, entry in list(self.cached.items()):
            confirmed_at = max(entry.confirmed_at or 0.0, self._confirmed_at)
            self.inherited[key] = replace(entry, confirmed_at=confirmed_at, source="memory")
        self.cached.clear()
        self.is_watched = False

    def is_fresh(self, entry: CachedPrompt) -> bool:
        """Whether the copy can be used without asking the server."""
        if self.is_watched:
            return True
        confirmed_at = max(entry.confirmed_at or 0.0, self._confirmed_at)
        return time.monotonic() < confirmed_at + self._max_age

    def to_prompt(self, entry: CachedPrompt) -> Prompt:
        """Return the prompt for listeners, just after its fetch."""
        age = self.age_of(entry, time.monotonic())
        return entry.variant.prompt("server", entry.position.revision, age)

    def age_of(self, entry: CachedPrompt, now: float) -> float | None:
        """Return the seconds since the server last confirmed the copy."""
        if entry.confirmed_at is None:
            return None
        is_cached = self.cached.get(entry.full_prompt.served.fields["key"]) is entry
        # A copy from a file may be older than this machine's clock.
        confirmed_at = (
            max(entry.confirmed_at, self._confirmed_at) if is_cached else entry.confirmed_at
        )
        return max(now - confirmed_at, 0.0)

    def store(self, key: str, entry: CachedPrompt) -> CachedPrompt:
        """Cache the copy unless the cached one is newer; returns the cached one."""
        cached = self.cached.get(key)
        if cached is not None and entry.position.is_before(cached.position):
            return cached
        self.cached[key] = entry
        self.inherited.pop(key, None)
        self._clear_failure(key)
        return entry

    def confirm_copy(
        self, key: str, entry: CachedPrompt, position: FeedPosition, etag: str | None
    ) -> CachedPrompt:
        """Confirm the copy after a 304, and draw its variant again."""
        newest = (
            entry.position if position.is_before(entry.position) or not position.epoch else position
        )
        confirmed = replace(
            entry,
            variant=entry.full_prompt.drawn(),
            confirmed_at=time.monotonic(),
            position=newest,
            etag=etag or entry.etag,
        )
        return self.store(key, confirmed)

    def remove(self, key: str) -> bool:
        """Remove a prompt that does not exist; returns whether it was cached."""
        was_cached = self.find_copy(key) is not None
        self.cached.pop(key, None)
        self.inherited.pop(key, None)
        self._clear_failure(key)
        return was_cached

    def record_failure(
        self, key: str, error: PromptOpsError, fallback: CachedPrompt | None
    ) -> Failure:
        """Start a pause before the next fetch, which grows while there is nothing to return."""
        now, pause = time.monotonic(), FIRST_PAUSE
        if key not in self.cached:
            ceiling = self._pauses.get(key, FIRST_PAUSE)
            self._pauses[key] = min(ceiling * 2, LONGEST_PAUSE)
            # Wait at least half of it, so that fallbacks do not trigger a fetch immediately.
            pause = random.uniform(ceiling / 2, ceiling)  # noqa: S311 (spreads load)
        failure = Failure(error, fallback, now, now + pause)
        self.failures[key] = failure
        return failure

    def active_failure(self, key: str) -> Failure | None:
        """Return the last failure during the pause after it."""
        failure = self.failures.get(key)
        if failure is None or failure.since < self._pauses_ended_at:
            return None
        return failure if time.monotonic() < failure.until else None

    def failure_copy(self, key: str) -> CachedPrompt | None:
        """Return the fallback of the last failed fetch, for immediate use."""
        failure = self.failures.get(key)
        return failure.fallback if failure is not None else None

    def record_timeout(self) -> None:
        """Note that a fetch timed out, so that the next caller does not wait, too."""
        self._hanging_until = time.monotonic() + HANGING_SECONDS

    def record_response(self) -> None:
        """Note that the server responded."""
        self._hanging_until = 0.0

    @property
    def is_hanging(self) -> bool:
        """Whether the server timed out recently and has not responded since."""
        return time.monotonic() < self._hanging_until

    def end_pauses(self) -> None:
        """End all pauses because the server is back. Fallbacks are used until its copies arrive."""
        self.record_response()
        self._pauses_ended_at = time.monotonic()
        self._pauses.clear()

    def mark_watched(self) -> None:
        """A watch keeps all copies up to date from now on."""
        self.is_watched = True

    def confirm_all(self) -> None:
        """Confirm all copies: the server reported no other change."""
        self._confirmed_at = time.monotonic()

    def mark_unwatched(self) -> None:
        """The watch has ended, so copies age."""
        self.is_watched = False

    def _clear_failure(self, key: str) -> None:
        self.failures.pop(key, None)
        self._pauses.pop(key, None)
