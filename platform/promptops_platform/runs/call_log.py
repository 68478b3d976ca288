"""Writes runs that are one model call, in groups, a moment after they were answered.

A commit takes longer than all else that lies between such a call and its answer: see
docs/decisions/0004-calls-are-logged-in-groups.md.
"""

import asyncio

import structlog

from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.runs.service import ModelCall, NewRun, RunLog

log = structlog.get_logger(__name__)

GATHER_SECONDS = 0.05
RETRY_SECONDS = 1.0
# What may wait in memory; who comes with more waits for the database.
MOST_CHARACTERS = 4_000_000
MOST_RUNS = 1_000

Entry = tuple[NewRun, ModelCall]


class CallLog:
    """Takes runs at once. Whoever reads the log waits first until they are `written`."""

    def __init__(self, *, database: Database, runs: RunLog) -> None:
        self._database = database
        self._runs = runs
        self._waiting: list[Entry] = []
        self._characters = 0
        self._filled = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._write_forever(), name="call-log")

    async def stop(self) -> None:
        """Write what waits, and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        if not await self.written():
            log.error("calls_not_logged", runs=len(self._waiting))

    async def add(self, run: NewRun, call: ModelCall) -> None:
        """Take a run that has ended; waits only where too many wait already."""
        self._waiting.append((run, call))
        self._characters += len(call.input or "") + len(call.output or "")
        self._filled.set()
        if self._characters > MOST_CHARACTERS or len(self._waiting) > MOST_RUNS:
            await self.written()

    async def written(self) -> bool:
        """Write all that was added before this call; False where the database can't take it now."""
        async with self._writing:
            entries, self._waiting = self._waiting, []
            self._characters = 0
            try:
                await self._write(entries)
            except DatabaseUnavailable:
                self._put_back(entries)
                return False
            except BaseException:
                self._put_back(entries)
                raise
        return True

    def _put_back(self, entries: list[Entry]) -> None:
        self._waiting = entries + self._waiting
        self._filled.set()

    async def _write(self, entries: list[Entry]) -> None:
        if not entries:
            return
        try:
            async with self._database.write() as transaction:
                for run, call in entries:
                    await self._runs.record_call(transaction, run, call)
        except DatabaseUnavailable:
            raise
        except Exception:
            # One that can't be written must not take the others along.
            log.exception("call_not_logged", runs=[run.id for run, _ in entries])
            if len(entries) > 1:
                for entry in entries:
                    await self._write([entry])

    async def _write_forever(self) -> None:
        while True:
            await self._filled.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._filled.clear()
            if not await self.written():
                await asyncio.sleep(RETRY_SECONDS)
