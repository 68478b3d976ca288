"""Waits for the end of a run, which any replica may execute."""

import asyncio

from promptops_platform.access.actor import Actor
from promptops_platform.access.authentication import Authenticator
from promptops_platform.db.unit_of_work import Database
from promptops_platform.http.open_streams import OpenStreams
from promptops_platform.http.stop_signal import StopSignal
from promptops_platform.runlog.news import POLL_SECONDS, RunNews
from promptops_platform.runlog.reading import RunReader
from promptops_platform.runlog.repository import RUNNING
from promptops_platform.runlog.schemas import RunDetail

LONGEST_WAIT_SECONDS = 60.0


class RunWaits:
    """Reads runs in its own transactions; none is open while it waits."""

    def __init__(
        self,
        *,
        database: Database,
        reader: RunReader,
        news: RunNews,
        authenticator: Authenticator,
        streams: OpenStreams,
        stop: StopSignal,
    ) -> None:
        self._database = database
        self._reader = reader
        self._news = news
        self._authenticator = authenticator
        self._streams = streams
        self._stop = stop

    async def detail(self, run_id: str, *, actor: Actor) -> RunDetail:
        """Return the run's current state; raises NotFound."""
        async with self._database.read() as transaction:
            row = await self._reader.get(transaction, run_id, actor=actor)
            return RunDetail.with_steps(row, await self._reader.steps(transaction, run_id))

    async def ended(self, run_id: str, seconds: float, *, actor: Actor) -> RunDetail:
        """Return the run as soon as it has ended, or its state after `seconds` or when the platform
        begins to stop; raises NotFound, Unauthorized and TooManyRequests."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        with self._streams.opened(actor.caller_id), self._news.watching(run_id) as watch:
            while not await self._has_ended(run_id, actor):
                left = deadline - clock()
                if left <= 0 or self._stop.is_set:
                    break
                await watch.news(min(left, POLL_SECONDS))
        return await self.detail(run_id, actor=self._authenticator.require_current(actor))

    async def _has_ended(self, run_id: str, actor: Actor) -> bool:
        async with self._database.read() as transaction:
            row = await self._reader.get(
                transaction, run_id, actor=self._authenticator.require_current(actor)
            )
        return row.status != RUNNING
