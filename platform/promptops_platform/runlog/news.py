"""Wakes those who wait for the events of a run, wherever it is executed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from promptops_flows.processes.waiting import happens_within
from promptops_platform.changes.signals import Signals
from promptops_platform.http.stop_signal import StopSignal
from promptops_platform.runlog.event_signals import unpacked
from promptops_platform.runlog.events import MANY, RunEvent, RunEvents

# How often the log is read without a signal.
POLL_SECONDS = 2.0


class RunWatch:
    """One waiting reader. `log_changed` is set when the log has something new about the run."""

    __slots__ = ("_woken", "log_changed")

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        # True at first, so that the log is read at the beginning.
        self.log_changed = True

    def wake(self, *, log_changed: bool) -> None:
        """There is something new."""
        self.log_changed |= log_changed
        self._woken.set()

    def take_log_changed(self) -> bool:
        """Return whether the log has something new since the last call."""
        log_changed, self.log_changed = self.log_changed, False
        return log_changed

    async def news(self, seconds: float) -> None:
        """Wait at most `seconds` for something new."""
        await happens_within(self._woken, seconds)
        self._woken.clear()


class RunNews:
    """The waiting readers, by run. Signals of other replicas may be lost, so readers must not rely
    on them alone."""

    def __init__(self, events: RunEvents, signals: Signals, stop: StopSignal) -> None:
        self._watches: dict[str, set[RunWatch]] = {}
        events.listen(self._happened)
        signals.listen(self._receive)
        stop.listen(self._wake_all)

    @contextmanager
    def watching(self, run_id: str) -> Iterator[RunWatch]:
        """Wake the watch whenever something happens to the run, until the block ends."""
        watch = RunWatch()
        watches = self._watches.setdefault(run_id, set())
        watches.add(watch)
        try:
            yield watch
        finally:
            watches.discard(watch)
            if not watches and self._watches.get(run_id) is watches:
                del self._watches[run_id]

    def wake(self, run_id: str, *, log_changed: bool = True) -> None:
        """Something happened to the run."""
        for watch in self._watches.get(run_id, ()):
            watch.wake(log_changed=log_changed)

    def _happened(self, event: RunEvent) -> None:
        if event.type == MANY:
            # It may be any of them.
            self._wake_all()
        else:
            self.wake(event.id)

    def _wake_all(self) -> None:
        for run_id in self._watches:
            self.wake(run_id)

    def _receive(self, signal: str) -> None:
        if self._watches:
            for event in unpacked(signal):
                self._happened(event)
