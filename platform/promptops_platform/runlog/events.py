"""Events of runs for consoles, combined so that many runs cause few messages."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from promptops_platform.runlog.tables import RunRow

# Until the events are taken, at most this many runs of a workspace are listed; the others are
# combined into one event.
MOST_NAMED = 20
STARTED, STEP, ENDED, MANY = "run.started", "run.step", "run.ended", "run.many"


@dataclass(frozen=True, slots=True)
class RunEvent:
    """The latest event of a run. Events of the type `run.many` don't name a run."""

    type: str
    workspace_id: str
    scope: str | None
    id: str = ""
    source: str = ""
    ref_key: str = ""
    status: str = ""


class RunEvents:
    """Keeps events in memory until they are taken; a lost event can be found in the run log."""

    def __init__(self) -> None:
        # By workspace and scope, whose events have the same readers, and by run.
        self._waiting: dict[tuple[str, str | None], dict[str, RunEvent]] = {}
        # The active runs of this process; their step events contain only the run.
        self._under_way: dict[str, RunEvent] = {}
        self._listeners: list[Callable[[RunEvent], None]] = []
        self.happened = asyncio.Event()

    def listen(self, listener: Callable[[RunEvent], None]) -> None:
        """Call `listener` with each event of this process, immediately."""
        self._listeners.append(listener)

    def started(self, run: RunRow) -> None:
        """A run is logged as active."""
        event = self._under_way[run.id] = _event(STARTED, run)
        self._put(event)

    def step_ended(self, run_id: str) -> None:
        """A step of an active run has ended."""
        if run_id in self._under_way:
            self._put(replace(self._under_way[run_id], type=STEP))

    def ended(self, run: RunRow) -> None:
        """A run has ended."""
        self._under_way.pop(run.id, None)
        self._put(_event(ENDED, run))

    def forget(self, run_id: str) -> None:
        """A run was deleted with its workspace while it was active."""
        self._under_way.pop(run_id, None)

    @property
    def are_taken(self) -> bool:
        """Whether nothing has happened since `take` was called."""
        return not self._waiting

    def take(self) -> list[RunEvent]:
        """Return what has happened since the last call, ordered by workspace."""
        self.happened.clear()
        waiting, self._waiting = self._waiting, {}
        return [event for group in waiting.values() for event in group.values()]

    def _put(self, event: RunEvent) -> None:
        for listener in self._listeners:
            listener(event)
        group = self._waiting.setdefault((event.workspace_id, event.scope), {})
        if event.id not in group and len(group) >= MOST_NAMED:
            event = RunEvent(MANY, event.workspace_id, event.scope)
        group[event.id] = event
        self.happened.set()


def _event(kind: str, run: RunRow) -> RunEvent:
    return RunEvent(kind, run.workspace_id, run.scope, run.id, run.source, run.ref_key, run.status)
