"""Watching programs with all SDKs, each in its own process, which are checked continuously."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from harness.processes import eventually
from harness.sdk_drivers import Driver, available, running_driver

# The pause between two checks of all keys, per watcher: checking must not slow down the rest.
PAUSE_SECONDS = 0.05
# A lost connection is retried after up to 10 s, a dead one is detected after 25.
CONVERGE_SECONDS = 60.0
# Only events may cause updates, so cached copies never get too old.
OPTIONS = {"timeout": 5.0, "max_age": 3600}

# Version and content of each key.
State = Mapping[str, tuple[str, str]]


class Watcher:
    """A driver's process; each method is called by one thread at a time.

    Its result must never be an error, and never older than an earlier result.
    """

    def __init__(self, name: str, driver: Driver) -> None:
        self.name = name
        self.highest_revision = 0
        self.answers = 0
        self.updates = 0
        self._driver = driver
        self._seen: dict[str, tuple[int, int]] = {}
        self._last_reported: dict[str, str] = {}

    def watch(self, server: str, token: str, keys: Sequence[str]) -> None:
        """Fetch every key once, and watch."""
        address = {"server": server, "namespace": "prod", "token": token}
        self._ask({"op": "new", **address, "app": self.name, "options": OPTIONS})
        for key in keys:
            self._get(key)
        self._ask({"op": "watch"})

    def look(self, keys: Sequence[str], pause: float, stopped: threading.Event) -> None:
        """Read every key repeatedly."""
        while not stopped.wait(pause):
            for key in keys:
                self._get(key)
            self._take_updates()

    def differences(self, state: State) -> dict[str, Any]:
        """By key, what the driver has cached or last reported, if that differs from the state."""
        self._take_updates()
        differences: dict[str, Any] = {}
        for key, (version, content) in state.items():
            held = self._get(key)
            if (held["version"], held["content"]) != (version, content):
                differences[key] = f"holds {held}, served is {version}"
            elif self._last_reported.get(key, version) != version:
                differences[key] = f"has {version}, was last notified of {self._last_reported[key]}"
        return differences

    def _get(self, key: str) -> dict[str, Any]:
        held: dict[str, Any] = self._ask({"op": "get", "key": key})
        self.answers += 1
        self.highest_revision = max(self.highest_revision, held["revision"])
        seen = (held["revision"], number_of(held["version"]))
        before = self._seen.setdefault(key, seen)
        older = seen[0] < before[0] or seen[1] < before[1]
        assert not older, f"{self.name} went back from {before} to {held}"
        self._seen[key] = seen
        return held

    def _take_updates(self) -> None:
        for event in self._ask({"op": "take_events", "count": 1_000_000, "seconds": 0}):
            assert event["event"] != "error", f"{self.name}: {event}"
            if event["event"] != "update":
                continue
            self.updates += 1
            key, version = event["key"], event["version"]
            before = self._last_reported.setdefault(key, version)
            back = number_of(version) < number_of(before)
            assert not back, f"{self.name} was notified of {key} {version} after {before}"
            self._last_reported[key] = version

    def _ask(self, command: dict[str, Any]) -> Any:
        answer = self._driver.ask(command)
        assert "ok" in answer, f"{self.name}, {command}: {answer}"
        return answer["ok"]


class Watchers:
    """Several watchers, each in its own thread."""

    def __init__(self, watchers: Sequence[Watcher], threads: ThreadPoolExecutor) -> None:
        self.members = watchers
        self._threads = threads
        self._stopped = threading.Event()
        self._looking: list[Future[None]] = []

    def watch(self, server: str, token: str, keys: Sequence[str]) -> None:
        """Start, and check every key from now on."""
        started = [
            self._threads.submit(watcher.watch, server, token, keys) for watcher in self.members
        ]
        for future in started:
            future.result()
        pause = PAUSE_SECONDS * len(self.members)
        self._looking = [
            self._threads.submit(watcher.look, keys, pause, self._stopped)
            for watcher in self.members
        ]

    def check(self) -> None:
        """All results so far must be right."""
        for future in self._looking:
            if future.done():
                future.result()

    def stop(self) -> None:
        """Stop checking; fails if a result was ever wrong."""
        self._stopped.set()
        for future in self._looking:
            future.result()

    def hold(self, served: Callable[[], State]) -> None:
        """Wait until each watcher has the served version, which is fetched again for each check: a
        replica may be behind, and an unanswered publish may still be applied. A failure names the
        watchers."""
        waiting = [self._threads.submit(self._holds, watcher, served) for watcher in self.members]
        for future in waiting:
            future.result()

    @staticmethod
    def _holds(watcher: Watcher, served: Callable[[], State]) -> None:
        last: dict[str, Any] = {}

        def holds() -> bool:
            nonlocal last
            last = watcher.differences(served())
            return not last

        try:
            eventually(holds, seconds=CONVERGE_SECONDS)
        except AssertionError:
            raise AssertionError(f"{watcher.name}: {last}") from None

    def end(self) -> None:
        self._stopped.set()


@contextmanager
def driven_watchers(count: int) -> Iterator[Watchers]:
    """So many processes with the SDKs in turn, not watching yet."""
    names = [name for name, _ in zip(itertools.cycle(available()), range(count))]
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(count))
        drivers = [stack.enter_context(running_driver(name)) for name in names]
        members = [
            Watcher(f"{name}-{number}", driver)
            for number, (name, driver) in enumerate(zip(names, drivers, strict=True))
        ]
        watchers = Watchers(members, threads)
        # Last of all: no thread uses a driver that has ended.
        stack.callback(watchers.end)
        yield watchers


def number_of(label: str) -> int:
    """The number in a version's label `vN`."""
    return int(label.removeprefix("v"))
