"""The platforms that are notified of buttons pressed in Prefect, and their reasons for not retrying
a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from promptops_flows.protocol.engine_protocol import RetryPressed, RetryRefused
from promptops_flows.protocol.suspension_messages import CancelPressed

Pressed = RetryPressed | CancelPressed
Notify = Callable[[Pressed], None]


class RetryWatchers:
    """Without a watcher, button presses wait for the next one."""

    def __init__(self) -> None:
        self._watchers: list[Notify] = []
        self._waiting: list[Pressed] = []
        self._refusals: dict[str, str] = {}

    @contextmanager
    def watching(self, notify: Notify) -> Iterator[None]:
        """Inside, `notify` is called for each button press."""
        self._watchers.append(notify)
        waiting, self._waiting = self._waiting, []
        for pressed in waiting:
            notify(pressed)
        try:
            yield
        finally:
            self._watchers.remove(notify)

    def pressed(self, pressed: Pressed) -> None:
        """Notify the watchers of a button press."""
        self._refusals.pop(pressed.flow_run_id, None)
        if not self._watchers and pressed not in self._waiting:
            self._waiting.append(pressed)
        for notify in self._watchers:
            notify(pressed)

    def refused(self, refusal: RetryRefused) -> None:
        """A watcher has refused to retry the run of that flow run."""
        self._refusals[refusal.flow_run_id] = refusal.reason

    def take_refusal(self, flow_run_id: str) -> str | None:
        """The reason why the latest press for that flow run was refused, if it was."""
        return self._refusals.pop(flow_run_id, None)
