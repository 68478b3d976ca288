"""What happens to runs, for consoles: gathered, so that many runs are few messages."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from promptops_platform.runlog.tables import RunRow

# So many runs of a workspace are named until the events are taken; of the others it is only said
# that there are some.
MOST_NAMED = 20
STARTED, STEP, ENDED, MANY = "run.started", "run.step", "run.ended", "run.many"


@dataclass(frozen=True, slots=True)
class RunEvent:
    """The newest of a run. One of the type `run.many` names no run."""

    type: str
    workspace_id: str
    scope: str | None
    id: str = ""
    source: str = ""
    ref_key: str = ""
    status: str = ""


class RunEvents:
    """Waits for somebody to take it, in memory: what is lost is found in the run log."""

    def __init__(self) -> None:
        # By workspace and scope, which are seen by the same readers, and by run.
        self._waiting: dict[tuple[str, str | None], dict[str, RunEvent]] = {}
        # Runs of this process that are under way: their steps name nothing but the run.
        self._under_way: dict[str, RunEvent] = {}
        self._listeners: list[Callable[[RunEvent], None]] = []
        self.happened = asyncio.Event()

    def listen(self, listener: Callable[[RunEvent], None]) -> None:
        """Call `listener` with each event of this process, at once."""
        self._listeners.append(listener)

    def started(self, run: RunRow) -> None:
        """A run is logged as under way."""
        event = self._under_way[run.id] = _event(STARTED, run)
        self._put(event)

    def step_ended(self, run_id: str) -> None:
        """A step of a run that is under way has ended."""
        if run_id in self._under_way:
            self._put(replace(self._under_way[run_id], type=STEP))

    def ended(self, run: RunRow) -> None:
        """A run has ended."""
        self._under_way.pop(run.id, None)
        self._put(_event(ENDED, run))

    def forget(self, run_id: str) -> None:
        """A run went with its workspace while it was under way."""
        self._under_way.pop(run_id, None)

    @property
    def are_taken(self) -> bool:
        """Whether nothing has happened since `take` was called."""
        return not self._waiting

    def take(self) -> list[RunEvent]:
        """What has happened since the last call, in order of the workspaces."""
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
