"""Who is told that somebody has pressed a button in Prefect, and why they do not retry the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from promptops_flows.protocol.engine_protocol import RetryPressed, RetryRefused
from promptops_flows.protocol.suspension_messages import CancelPressed

Pressed = RetryPressed | CancelPressed
Tell = Callable[[Pressed], None]


class RetryWatchers:
    """While nobody watches, presses wait for whoever comes next."""

    def __init__(self) -> None:
        self._watchers: list[Tell] = []
        self._waiting: list[Pressed] = []
        self._refusals: dict[str, str] = {}

    @contextmanager
    def watching(self, tell: Tell) -> Iterator[None]:
        """Inside, `tell` gets all that is pressed."""
        self._watchers.append(tell)
        waiting, self._waiting = self._waiting, []
        for pressed in waiting:
            tell(pressed)
        try:
            yield
        finally:
            self._watchers.remove(tell)

    def pressed(self, pressed: Pressed) -> None:
        """Somebody has pressed a button."""
        self._refusals.pop(pressed.flow_run_id, None)
        if not self._watchers and pressed not in self._waiting:
            self._waiting.append(pressed)
        for tell in self._watchers:
            tell(pressed)

    def refused(self, refusal: RetryRefused) -> None:
        """A watcher does not retry the run of that flow run."""
        self._refusals[refusal.flow_run_id] = refusal.reason

    def take_refusal(self, flow_run_id: str) -> str | None:
        """Why the latest press for that flow run was refused, if it was."""
        return self._refusals.pop(flow_run_id, None)
