"""Writes runs that are one model call, in groups, a moment after they were answered.

A commit takes longer than all else that lies between such a call and its answer: see
docs/decisions/0004-calls-are-logged-in-groups.md.
"""

import asyncio
from dataclasses import dataclass

import structlog

from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.runs.service import ModelCall, NewRun, RunLog

log = structlog.get_logger(__name__)

GATHER_SECONDS = 0.05
RETRY_SECONDS = 1.0
# What may wait in memory. Who comes with more waits for the database; where it takes nothing, the
# oldest are let go.
MOST_CHARACTERS = 4_000_000
MOST_RUNS = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A run that has ended; `characters` is about how long its texts are together."""

    run: NewRun
    call: ModelCall
    characters: int


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
        self._wait([*self._waiting, Entry(run, call, _characters(run, call))])
        if self._is_full:
            await self.written()
        while self._is_full:
            lost, *rest = self._waiting
            self._wait(rest)
            log.error("call_not_logged", run=lost.run.id, reason="the database takes nothing")

    async def written(self) -> bool:
        """Write all that was added before this call; False where the database can't take it now."""
        async with self._writing:
            entries = self._waiting
            self._wait([])
            try:
                await self._write(entries)
            except DatabaseUnavailable:
                self._wait([*entries, *self._waiting])
                return False
            except BaseException:
                self._wait([*entries, *self._waiting])
                raise
        return True

    @property
    def _is_full(self) -> bool:
        return self._characters > MOST_CHARACTERS or len(self._waiting) > MOST_RUNS

    def _wait(self, entries: list[Entry]) -> None:
        """Have these wait, and no others."""
        self._waiting = entries
        self._characters = sum(each.characters for each in entries)
        if entries:
            self._filled.set()

    async def _write(self, entries: list[Entry]) -> None:
        """Takes out of `entries` what needs no other try."""
        if not entries or await self._wrote_together(entries):
            return
        while entries:
            await self._write_alone(entries[0])
            del entries[0]

    async def _wrote_together(self, entries: list[Entry]) -> bool:
        """False where one of them can't be written, and so none was."""
        try:
            async with self._database.write() as transaction:
                for each in entries:
                    await self._runs.record_call(transaction, each.run, each.call)
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("calls_written_one_by_one", runs=len(entries))
            return False
        return True

    async def _write_alone(self, entry: Entry) -> None:
        """One that can't be written must not take the others along."""
        run = entry.run
        try:
            async with self._database.write() as transaction:
                # A commit that seemed to have failed may stand.
                if not await self._runs.is_logged(transaction, run.id):
                    await self._runs.record_call(transaction, run, entry.call)
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("call_not_logged", run=run.id)

    async def _write_forever(self) -> None:
        while True:
            await self._filled.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._filled.clear()
            if not await self.written():
                await asyncio.sleep(RETRY_SECONDS)


def _characters(run: NewRun, call: ModelCall) -> int:
    return len(call.input or "") + len(call.output or "") + len(str(run.inputs or ""))
