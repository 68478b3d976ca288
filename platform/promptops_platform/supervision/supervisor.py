"""The child processes of one platform."""

from __future__ import annotations

from pathlib import Path

from promptops_platform.supervision.backoff import Backoff
from promptops_platform.supervision.child import Child, ChildSpec, ChildState

_LOG_LIMIT = 10 * 1024 * 1024


class Supervisor:
    """Starts children, restarts them when they die, and stops them in reverse order.

    Their output is appended to `logs/<log_name>.log`. Belongs to one event loop.
    """

    def __init__(
        self, logs: Path, *, backoff: Backoff | None = None, log_limit: int = _LOG_LIMIT
    ) -> None:
        self._logs = logs
        self._backoff = backoff or Backoff()
        self._log_limit = log_limit
        self._children: list[Child] = []

    def start(self, spec: ChildSpec, *, grace: float = 10.0) -> None:
        """Keep `spec` running from now on; `grace` is the number of seconds between SIGTERM and
        SIGKILL.

        Returns immediately. If starting fails, that is logged, visible in `states`, and tried
        again.
        """
        child = Child(
            spec,
            log_path=self._logs / f"{spec.log_name}.log",
            log_limit=self._log_limit,
            backoff=self._backoff,
            grace=grace,
        )
        self._children.append(child)
        child.start()

    def states(self) -> tuple[ChildState, ...]:
        """Return the states in the order in which the children were started."""
        return tuple(child.state() for child in self._children)

    async def stop(self, *, now: bool = False) -> None:
        """Stop all, one after the other, so that the last started can still use the earlier ones.

        Takes at most the sum of the grace periods; with `now` it kills instead of waiting.
        Idempotent.
        """
        for child in reversed(self._children):
            await (child.kill() if now else child.stop())
