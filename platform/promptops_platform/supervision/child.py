"""One supervised process: spawn, watch, restart, stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import structlog

from promptops_flows.processes.children import inherited
from promptops_flows.processes.waiting import happens_within
from promptops_platform.supervision.backoff import Backoff
from promptops_platform.supervision.logs import open_log

# A child reads the end of this pipe on its stdin when the parent has ended, for whatever reason.
_PARENT_PIPE = {"PROMPTOPS_PARENT_PIPE": "1"}

_log = structlog.get_logger(__name__)

_NICENESS = 10


class ChildSpec(Protocol):
    """What to run. `env` is added to the inherited environment; `log_name` has no suffix; `fds` are
    open files of this process that the child inherits with the same numbers."""

    @property
    def name(self) -> str: ...
    @property
    def argv(self) -> tuple[str, ...]: ...
    @property
    def env(self) -> Mapping[str, str]: ...
    @property
    def log_name(self) -> str: ...
    @property
    def fds(self) -> tuple[int, ...]: ...


class Phase(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing_off"
    STOPPED = "stopped"


@dataclass(frozen=True)
class ChildState:
    """A snapshot. `running` means that the process exists, not that it is ready to serve.

    `pid` is set while it is running. `last_exit` is the last exit code, -N for signal N, and None
    before the first end or if the last start itself failed. `failures` counts consecutive early
    ends; `started_at` is when the last start began, by the monotonic clock.
    """

    name: str
    phase: Phase
    pid: int | None
    restarts: int
    last_exit: int | None
    failures: int = field(default=0, compare=False)
    started_at: float = field(default=0.0, compare=False)


def _lower_priority(pid: int) -> None:
    """Give the child less CPU than this process, which serves requests, if both need it.

    Linux may schedule each session as one group, and then ignores niceness between sessions except
    for the group's own (sched(7), "The autogroup feature").
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, _NICENESS)
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(_NICENESS), encoding="ascii")


class Child:
    """Runs `spec` until `stop`, with restarts."""

    def __init__(
        self, spec: ChildSpec, *, log_path: Path, log_limit: int, backoff: Backoff, grace: float
    ) -> None:
        self.spec = spec
        self._log_path = log_path
        self._log_limit = log_limit
        self._backoff = backoff
        self._grace = grace
        self._phase = Phase.STARTING
        self._process: asyncio.subprocess.Process | None = None
        self._restarts = self._failures = 0
        self._born = time.monotonic()
        self._last_exit: int | None = None
        self._stopping = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    def state(self) -> ChildState:
        pid = self._process.pid if self._process else None
        return ChildState(
            self.spec.name,
            self._phase,
            pid,
            self._restarts,
            self._last_exit,
            self._failures,
            self._born,
        )

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._run_forever(), name=f"supervise-{self.spec.name}")

    async def stop(self) -> None:
        """Send SIGTERM, and SIGKILL to the whole process group after the grace period.
        Idempotent."""
        self._stopping.set()
        if self._keeper is None:
            return
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait([self._keeper], timeout=self._grace)
            if not self._keeper.done():
                _log.warning("child_killed", child=self.spec.name, after_seconds=self._grace)
        finally:
            # Also if the stop is cancelled: the process must not be left over.
            self._kill_group()
        await self._keeper

    async def kill(self) -> None:
        """Send SIGKILL to the whole process group immediately."""
        self._stopping.set()
        self._kill_group()
        if self._keeper is not None:
            await self._keeper

    async def _run_forever(self) -> None:
        while not self._stopping.is_set():
            self._phase = Phase.STARTING
            self._born = time.monotonic()
            self._last_exit = await self._run_once()
            if self._stopping.is_set():
                break
            lived = time.monotonic() - self._born
            self._failures = 1 if lived >= self._backoff.stable else self._failures + 1
            await self._back_off(self._failures)
            if not self._stopping.is_set():
                self._restarts += 1
        self._phase = Phase.STOPPED

    async def _run_once(self) -> int | None:
        try:
            process = await self._spawn()
        except OSError as error:
            _log.error("child_not_started", child=self.spec.name, error=str(error))
            return None
        self._process = process
        self._phase = Phase.RUNNING
        _lower_priority(process.pid)
        _log.info("child_started", child=self.spec.name, pid=process.pid)
        if self._stopping.is_set():
            # The stop came while the process was being created, and found nothing to signal.
            self._signal(signal.SIGTERM)
        code = await process.wait()
        self._kill_group()
        self._process = None
        return code

    async def _spawn(self) -> asyncio.subprocess.Process:
        log = open_log(self._log_path, limit=self._log_limit)
        try:
            return await asyncio.create_subprocess_exec(
                *self.spec.argv,
                env={**inherited(os.environ), **self.spec.env, **_PARENT_PIPE},
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=self.spec.fds,
                # Ctrl-C in the terminal reaches the foreground group: only the parent.
                start_new_session=True,
            )
        finally:
            os.close(log)

    async def _back_off(self, failures: int) -> None:
        self._phase = Phase.BACKING_OFF
        pause = self._backoff.seconds(failures)
        _log.warning(
            "child_died",
            child=self.spec.name,
            exit_code=self._last_exit,
            again_in_seconds=round(pause, 2),
            log=str(self._log_path),
        )
        await happens_within(self._stopping, pause)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _kill_group(self) -> None:
        """End the processes that the child itself has started: a survivor may keep its port or its
        files."""
        if self._process is not None:
            # macOS says "not permitted" about a group that contains only a zombie.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
