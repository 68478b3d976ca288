"""What a client knows of each prompt: the copies that it holds, and the failures to get one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from promptops.errors import PromptOpsError
from promptops.prompts import Prompt, Variant, Whole

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
# A server that let a fetch time out counts as hanging for so long, or until it answers.
HANGING_SECONDS = 30.0


@dataclass(frozen=True)
class Stamp:
    """When an answer is of; without a revision, of a server that has none."""

    revision: int | None
    epoch: str | None

    def is_before(self, other: Stamp) -> bool:
        """Whether it is older; revisions of two epochs say nothing of each other."""
        if self.revision is None or other.revision is None or self.epoch != other.epoch:
            return False
        return self.revision < other.revision


@dataclass(frozen=True)
class Known:
    """A copy of a prompt, with the variant that was drawn when it came.

    `confirmed_at`, in seconds of ``time.monotonic``, is when the server last said that this is the
    prompt, None where nobody knows. `revision` is None in a bundle.
    """

    whole: Whole
    variant: Variant
    source: str
    stamp: Stamp
    confirmed_at: float | None
    etag: str | None = None

    def __post_init__(self) -> None:
        # What is rendered without a subject, found without a detour.
        object.__setattr__(self, "render", self.variant.template.render)

    render: Callable[..., str] = field(init=False, repr=False, compare=False)

    def variant_for(self, subject: str | None) -> Variant:
        """What this subject gets, or one without."""
        return self.variant if subject is None else self.whole.of(subject)


@dataclass(frozen=True)
class Failure:
    """Why the server's copy could not be got, what is answered instead, and until when.

    `since` and `until` are in seconds of ``time.monotonic``.
    """

    error: PromptOpsError
    fallback: Known | None = None
    since: float = 0.0
    until: float = 0.0


# Of a fetch.
Outcome = Known | Failure


class Memory:
    """Shared by all threads: each method makes one change of one dict, and none waits.

    What is held has to be asked for again once it is `max_age` seconds old, but not while
    `is_watched`: then a watch keeps it up to date.
    """

    def __init__(self, max_age: float) -> None:
        self.held: dict[str, Known] = {}
        # Copies of before a fork, or of an event loop that has ended: the server is asked first.
        self.inherited: dict[str, Known] = {}
        self.failures: dict[str, Failure] = {}
        self.is_watched = False
        self._max_age = max_age
        self._confirmed_at = 0.0
        self._pauses: dict[str, float] = {}
        self._pauses_ended_at = 0.0
        self._hanging_until = 0.0

    def copy(self, key: str) -> Known | None:
        """What is held, or was inherited."""
        return self.held.get(key) or self.inherited.get(key)

    def leave_behind(self) -> None:
        """In a new process or event loop: nothing is held, all copies are inherited.

        The dict stays the same one, since others look into it.
        """
        for key, known in list(self.held.items()):
            confirmed_at = max(known.confirmed_at or 0.0, self._confirmed_at)
            self.inherited[key] = replace(known, confirmed_at=confirmed_at, source="memory")
        self.held.clear()
        self.is_watched = False

    def is_fresh(self, known: Known) -> bool:
        """Whether it need not be asked for again."""
        if self.is_watched:
            return True
        confirmed_at = max(known.confirmed_at or 0.0, self._confirmed_at)
        return time.monotonic() < confirmed_at + self._max_age

    def prompt(self, known: Known) -> Prompt:
        """What listeners are told, just after it was fetched."""
        age = self.age(known, time.monotonic())
        return known.variant.prompt("server", known.stamp.revision, age)

    def age(self, known: Known, now: float) -> float | None:
        """Seconds since the server last confirmed it."""
        if known.confirmed_at is None:
            return None
        held = self.held.get(known.whole.served.fields["key"]) is known
        # One from a file may be older than this machine's clock.
        confirmed_at = max(known.confirmed_at, self._confirmed_at) if held else known.confirmed_at
        return max(now - confirmed_at, 0.0)

    def keep(self, key: str, known: Known) -> Known:
        """Hold it, unless what is held is newer; answers what is held."""
        held = self.held.get(key)
        if held is not None and known.stamp.is_before(held.stamp):
            return held
        self.held[key] = known
        self.inherited.pop(key, None)
        self._succeeded(key)
        return known

    def confirm(self, key: str, known: Known, stamp: Stamp, etag: str | None) -> Known:
        """The server says that it still is what is held; a variant is drawn anew."""
        newest = known.stamp if stamp.is_before(known.stamp) or not stamp.epoch else stamp
        confirmed = replace(
            known,
            variant=known.whole.drawn(),
            confirmed_at=time.monotonic(),
            stamp=newest,
            etag=etag or known.etag,
        )
        return self.keep(key, confirmed)

    def forget(self, key: str) -> bool:
        """The server says that there is no such prompt. Answers whether it was held."""
        was_held = self.copy(key) is not None
        self.held.pop(key, None)
        self.inherited.pop(key, None)
        self._succeeded(key)
        return was_held

    def fail(self, key: str, error: PromptOpsError, fallback: Known | None) -> Failure:
        """The server is left in peace for a pause, which grows while there is nothing to serve."""
        now, pause = time.monotonic(), FIRST_PAUSE
        if key not in self.held:
            ceiling = self._pauses.get(key, FIRST_PAUSE)
            self._pauses[key] = min(ceiling * 2, LONGEST_PAUSE)
            # Half of it at least: what is answered meanwhile must not ask at once.
            pause = random.uniform(ceiling / 2, ceiling)  # noqa: S311 (spreads load)
        failure = Failure(error, fallback, now, now + pause)
        self.failures[key] = failure
        return failure

    def paused(self, key: str) -> Failure | None:
        """The last failure, while the pause after it lasts."""
        failure = self.failures.get(key)
        if failure is None or failure.since < self._pauses_ended_at:
            return None
        return failure if time.monotonic() < failure.until else None

    def fallback(self, key: str) -> Known | None:
        """What is answered at once while nothing is held, since the last fetch failed."""
        failure = self.failures.get(key)
        return failure.fallback if failure is not None else None

    def timed_out(self) -> None:
        """The server has let a fetch time out: the next caller should not wait for it, too."""
        self._hanging_until = time.monotonic() + HANGING_SECONDS

    def heard(self) -> None:
        """The server has answered something."""
        self._hanging_until = 0.0

    @property
    def is_hanging(self) -> bool:
        """Whether the server has timed out lately, and not answered since."""
        return time.monotonic() < self._hanging_until

    def end_pauses(self) -> None:
        """The server is there again; until its copies come the fallbacks are answered."""
        self.heard()
        self._pauses_ended_at = time.monotonic()
        self._pauses.clear()

    def watched(self) -> None:
        """A watch keeps all that is held up to date from now on."""
        self.is_watched = True

    def confirmed(self) -> None:
        """The server has said that nothing else has changed."""
        self._confirmed_at = time.monotonic()

    def unwatched(self) -> None:
        """The watch has ended: what is held ages."""
        self.is_watched = False

    def _succeeded(self, key: str) -> None:
        self.failures.pop(key, None)
        self._pauses.pop(key, None)
