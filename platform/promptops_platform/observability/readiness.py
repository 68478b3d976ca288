"""Checks the parts that the platform depends on, at most once a second."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import text

from promptops_flows.protocol.engine_client import EngineClient
from promptops_platform.changes.feed import Feed
from promptops_platform.db.schema import LEAST_FREE_BYTES
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.observability.schemas import Part, Parts

T = TypeVar("T")

CHECK_SECONDS = 1.0
# How long a result is reused for other callers.
GOOD_FOR_SECONDS = 1.0
# Several times the feed's polling interval, because a busy machine may be late.
FEED_LAG_SECONDS = 10.0

DATABASE_UP = Part(ok=True, detail="answers")
DATABASE_LATE = Part(ok=False, detail=f"did not answer within {CHECK_SECONDS:g} s")
DATABASE_DOWN = Part(ok=False, detail="can't be used now")
FEED_UP = Part(ok=True, detail="follows the changes")
ENGINE_UP = Part(ok=True, detail="answers")
ENGINE_LATE = Part(ok=False, detail=f"did not answer within {CHECK_SECONDS:g} s")
ENGINE_FULL = Part(ok=False, detail="has no free thread; runs wait for one")
ENGINE_DOWN = Part(ok=False, detail="accepts no runs now; they wait for it")
DISK_UP = Part(ok=True, detail="has room")
DISK_LATE = Part(ok=False, detail=f"did not answer within {CHECK_SECONDS:g} s")
DISK_FULL = Part(ok=False, detail="is full: nothing can be stored; make room")
NOT_WRITABLE = Part(ok=False, detail="refuses writes: it is full or read-only")
PREFECT_UP = Part(ok=True, detail="answers the run engine")
PREFECT_DOWN = Part(ok=False, detail="does not respond to the run engine; runs wait for it")
PREFECT_UNKNOWN = Part(ok=False, detail="is unknown while the run engine does not respond")


class Readiness:
    """Checks all parts concurrently. The messages contain no address, because anybody may read
    them."""

    def __init__(
        self, *, database: Database, feed: Feed, engine: EngineClient, folders: Sequence[Path]
    ) -> None:
        """`folders` are those that the platform stores files in."""
        self._database = database
        self._folders = folders
        self._feed = feed
        self._engine = engine
        self._parts: Parts | None = None
        self._parts_at = 0.0
        self._checking: asyncio.Task[Parts] | None = None
        # Checks that took too long and have not ended yet, by name.
        self._late: dict[str, asyncio.Task[Any]] = {}

    async def parts(self) -> Parts:
        """Return the state of the parts, at most a second old; concurrent callers share one
        check."""
        clock = asyncio.get_running_loop().time
        if self._parts is not None and clock() - self._parts_at < GOOD_FOR_SECONDS:
            return self._parts
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check_all(), name="readiness")
        return await asyncio.shield(self._checking)

    async def stop(self) -> None:
        """End checks in progress. Idempotent."""
        tasks = {*self._late.values(), *([self._checking] if self._checking else [])}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CHECK_SECONDS)

    async def _check_all(self) -> Parts:
        database, disk, (engine, prefect) = await asyncio.gather(
            self._in_time("database", self._check_database, DATABASE_LATE),
            self._in_time("disk", self._check_disk, DISK_LATE),
            self._in_time("engine", self._check_engine, (ENGINE_LATE, PREFECT_UNKNOWN)),
        )
        parts = Parts(
            database=database,
            feed=self._check_feed(),
            engine=engine,
            prefect=prefect,
            disk=disk,
        )
        self._parts, self._parts_at = parts, asyncio.get_running_loop().time()
        return parts

    async def _in_time(self, name: str, check: Callable[[], Coroutine[Any, Any, T]], late: T) -> T:
        """Return the result of the check, or `late`. A check that hangs is cancelled, which may
        take a while, too, and no other one is started before it has ended."""
        if name in self._late:
            return late
        task = asyncio.create_task(check(), name=f"readiness-{name}")
        done, _ = await asyncio.wait([task], timeout=CHECK_SECONDS)
        if done:
            return task.result()
        self._late[name] = task
        task.add_done_callback(lambda _: self._late.pop(name, None))
        task.cancel()
        return late

    async def _check_database(self) -> Part:
        try:
            async with self._database.read() as transaction:
                await transaction.session.execute(text("SELECT 1"))
        except DatabaseUnavailable:
            return DATABASE_DOWN
        return DATABASE_UP

    async def _check_disk(self) -> Part:
        if await asyncio.to_thread(self._least_free) < LEAST_FREE_BYTES:
            return DISK_FULL
        if not self._database.is_writable:
            await self._database.try_to_write()
        return DISK_UP if self._database.is_writable else NOT_WRITABLE

    def _least_free(self) -> int:
        return min(shutil.disk_usage(folder).free for folder in self._folders)

    def _check_feed(self) -> Part:
        if self._feed.seconds_behind <= FEED_LAG_SECONDS:
            return FEED_UP
        return Part(
            ok=False, detail=f"lags: it was last up to date more than {FEED_LAG_SECONDS:g} s ago"
        )

    async def _check_engine(self) -> tuple[Part, Part]:
        """The engine, and Prefect from the engine's point of view."""
        missing = await self._engine.why_not_ready()
        if missing is None:
            return ENGINE_UP, PREFECT_UP
        if missing.part == "prefect":
            return ENGINE_UP, PREFECT_DOWN
        if missing.part == "threads":
            return ENGINE_FULL, PREFECT_UP
        return ENGINE_DOWN, PREFECT_UNKNOWN
