"""Writes runs that are a single model call, in groups, shortly after their responses were sent.

A commit takes longer than everything else between such a call and its response: see
docs/decisions/0004-calls-are-logged-in-groups.md.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.runlog.call_journal import CallJournal
from promptops_platform.runlog.new_run import ModelCall, NewRun
from promptops_platform.runlog.prepared_call import PreparedCall
from promptops_platform.runlog.service import RunLog

log = structlog.get_logger(__name__)

GATHER_SECONDS = 0.05
RETRY_SECONDS = 1.0
# Limit of pending runs in memory. Beyond it, callers wait for the database; if that is unavailable,
# the oldest runs are dropped.
MOST_CHARACTERS = 4_000_000
MOST_RUNS = 1_000
# The most that one transaction writes, as an edit may have to wait for it.
GROUP_RUNS = 25
GROUP_CHARACTERS = 500_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A run that has ended; one left by an earlier process may be stored already."""

    call: PreparedCall
    characters: int
    was_left: bool = False


class CallLog:
    """Accepts runs immediately. Readers of the log first wait until pending runs are `written`."""

    def __init__(self, *, database: Database, runs: RunLog, journal: CallJournal) -> None:
        self._database = database
        self._runs = runs
        self._journal = journal
        self._waiting: deque[Entry] = deque()
        self._characters = 0
        self._filled = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to write, starting with what an earlier process left."""
        left = await asyncio.to_thread(self._journal.read)
        if left:
            log.warning("calls_left", runs=len(left))
        self._put_back([Entry(call, call.characters, was_left=True) for call in left])
        self._task = asyncio.create_task(self._write_forever(), name="call-log")

    async def stop(self) -> None:
        """Write what is pending, and stop."""
        if self._task is not None:
            await end_tasks(self._task)
            self._task = None
        if not await self.written():
            log.error("calls_not_logged_yet", runs=len(self._waiting))
        self._journal.close()

    async def add(self, run: NewRun, call: ModelCall) -> PreparedCall:
        """Add a run that has ended, and return it as it will be stored; from then on it survives
        this process. Waits only if too many runs are pending."""
        prepared = await self._runs.prepare_call(run, call)
        entry = Entry(prepared, prepared.characters)
        self._waiting.append(entry)
        self._characters += entry.characters
        self._filled.set()
        # Don't await here, so that whoever is about to empty the journal has this entry as well.
        self._journal.append(prepared)
        if self._is_full:
            await self.written()
        while self._is_full:
            lost = self._waiting.popleft()
            self._characters -= lost.characters
            log.error("call_not_logged", run=lost.call.id, reason="the database takes nothing")
        if self._journal.is_too_large and not self._writing.locked():
            self._journal.rewrite(entry.call for entry in self._waiting)
        return prepared

    async def written(self) -> bool:
        """Write everything that was added before this call; False if the database is
        unavailable."""
        async with self._writing:
            if not self._waiting:
                return True
            number = self._journal.begin_file()
            entries, self._waiting, self._characters = self._waiting, deque(), 0
            try:
                await self._write(entries)
            except DatabaseUnavailable:
                self._put_back(entries)
                return False
            except BaseException:
                self._put_back(entries)
                raise
            self._journal.drop_before(number)
        return True

    @property
    def _is_full(self) -> bool:
        return self._characters > MOST_CHARACTERS or len(self._waiting) > MOST_RUNS

    def _put_back(self, entries: Iterable[Entry]) -> None:
        """Put these back, before those that were added meanwhile."""
        self._waiting.extendleft(reversed([*entries]))
        self._characters = sum(entry.characters for entry in self._waiting)
        if self._waiting:
            self._filled.set()

    async def _write(self, entries: deque[Entry]) -> None:
        """Remove from `entries` what needs no further attempt."""
        while entries:
            group = _group(entries)
            if not group or not await self._wrote_together(group):
                group = group or [entries[0]]
                for entry in group:
                    await self._write_alone(entry)
            for _ in group:
                entries.popleft()

    async def _wrote_together(self, entries: list[Entry]) -> bool:
        """Return False if one of them can't be written; none is written then."""
        try:
            async with self._database.write(background=True) as transaction:
                await self._runs.record_calls(transaction, [entry.call for entry in entries])
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("calls_written_one_by_one", runs=len(entries))
            return False
        return True

    async def _write_alone(self, entry: Entry) -> None:
        """Write one alone, so that an invalid one doesn't prevent the others."""
        call = entry.call
        try:
            async with self._database.write(background=True) as transaction:
                # A commit that seemed to fail may have succeeded.
                if not await self._runs.is_logged(transaction, call.id):
                    await self._runs.record_calls(transaction, [call])
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("call_not_logged", run=call.id)

    async def _write_forever(self) -> None:
        while True:
            await self._filled.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._filled.clear()
            if not await self.written():
                await asyncio.sleep(RETRY_SECONDS)


def _group(entries: deque[Entry]) -> list[Entry]:
    """Return the first entries to write together; none if the first may be stored already."""
    group: list[Entry] = []
    characters = 0
    for entry in takewhile(lambda entry: not entry.was_left, entries):
        characters += entry.characters
        if group and (len(group) == GROUP_RUNS or characters > GROUP_CHARACTERS):
            break
        group.append(entry)
    return group
