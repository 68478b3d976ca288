"""The task that listens to the server and keeps what the client holds up to date."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial

from promptops.aio.fetcher import AsyncFetcher
from promptops.aio.telling import Teller
from promptops.aio.waiting import end_task, within
from promptops.aio.websocket import AsyncWebSocket
from promptops.backoff import Backoff
from promptops.errors import (
    ClientClosedError,
    ForbiddenError,
    PromptOpsError,
    UnauthorizedError,
)
from promptops.following import Due, Following
from promptops.frames import FloodError
from promptops.listeners import Listeners, Telling
from promptops.memory import Failure, Known
from promptops.watch import FLOODED_SECONDS
from promptops.websocket import TOKEN_ENDED, ConnectionLostError

logger = logging.getLogger("promptops")


class AsyncWatch:
    """Follows the server's events in a task, and reconnects as often as it has to."""

    def __init__(
        self,
        connect: Callable[[Following], Awaitable[AsyncWebSocket]],
        following: Following,
        fetcher: AsyncFetcher,
        listeners: Listeners,
        teller: Teller,
    ) -> None:
        self._connect = connect
        self._following = following
        self._fetcher = fetcher
        self._memory = fetcher.fetches.memory
        self._listeners = listeners
        self._teller = teller
        self._reconnect_backoff = Backoff(initial=0.5, longest=10)
        # A refused token seldom becomes right by itself.
        self._refused_backoff = Backoff(30, 300, shortest=10)
        self._news = asyncio.Event()
        fetcher.fetches.wake_watch = self._news.set
        self._tried = asyncio.Event()
        self._failing = self._closed = False
        self._task = asyncio.create_task(self._run(), name="promptops-watch")

    async def wait_until_tried(self, seconds: float) -> None:
        """Until the first connection stands or has failed."""
        with contextlib.suppress(asyncio.TimeoutError):
            await within(seconds, self._tried.wait())

    def tasks(self) -> list[asyncio.Task[None]]:
        """What runs."""
        return [self._task]

    async def close(self) -> None:
        """End the task."""
        self._closed = True
        await end_task(self._task)

    async def _run(self) -> None:
        try:
            while not self._closed:
                pause = await self._follow()
                await asyncio.sleep(pause)
        except ClientClosedError:
            logger.debug("hot reload ended, the client is closed")
        finally:
            self._tried.set()

    async def _follow(self) -> float:
        """Follow one connection to its end; answers how many seconds to wait before the next."""
        try:
            await self._listen_to(await self._connect(self._following))
        except ClientClosedError:
            raise
        except (UnauthorizedError, ForbiddenError) as error:
            pause = self._refused_backoff.delay()
            logger.warning("hot reload is refused, trying again in %.0f s: %s", pause, error)
            await self._tell(partial(self._listeners.refused, error))
        except PromptOpsError as error:
            pause = self._reconnect_backoff.delay()
            if isinstance(error, FloodError):
                pause = max(pause, FLOODED_SECONDS)
            level = logging.DEBUG if self._failing else logging.WARNING
            logger.log(level, "hot reload stopped, reconnecting until it works: %s", error)
        # A fault of this SDK must not end hot reload for good.
        except Exception:
            pause = self._reconnect_backoff.delay()
            logger.exception("hot reload stopped, reconnecting")
        self._failing = True
        self._tried.set()
        return pause

    async def _listen_to(self, websocket: AsyncWebSocket) -> None:
        """Take events and refetch, until the connection ends."""
        if self._failing:
            logger.warning("hot reload works again")
        self._failing = False
        self._following.connected()
        self._tried.set()
        reader = asyncio.create_task(self._read(websocket))
        try:
            await self._tell(self._listeners.connected)
            await self._listen(websocket, reader)
        except ConnectionLostError as error:
            if error.code == TOKEN_ENDED:
                raise UnauthorizedError(401, "the token or session has ended") from error
            raise
        finally:
            self._following.disconnected()
            self._memory.unwatched()
            if not self._closed:
                self._teller.tell(self._listeners.disconnected)
            await end_task(reader)
            await websocket.close()

    async def _read(self, websocket: AsyncWebSocket) -> None:
        opened_at = websocket.heard_at
        while True:
            self._following.hear(await websocket.receive())
            # Not at the handshake: a server that cuts every connection at once is left in peace.
            if websocket.heard_at > opened_at:
                self._reconnect_backoff.reset()
                self._refused_backoff.reset()
            self._news.set()

    async def _listen(self, websocket: AsyncWebSocket, reader: asyncio.Task[None]) -> None:
        while True:
            self._news.clear()
            self._following.look_at_the_clock()
            for report in self._following.reports():
                await websocket.send(report)
            due = self._following.next_due()
            if due is not None:
                await self._apply(due)
            await self._pause(websocket, reader)
            if reader.done():
                reader.result()
            silent = time.monotonic() - websocket.heard_at
            if silent >= self._following.silence:
                raise ConnectionLostError(f"the server was silent for {silent:.0f} seconds")

    async def _pause(self, websocket: AsyncWebSocket, reader: asyncio.Task[None]) -> None:
        """Until there is something to do."""
        until_dead = websocket.heard_at + self._following.silence - time.monotonic()
        seconds = max(min(until_dead, self._following.seconds_to_next()), 0.0)
        if not seconds:
            await asyncio.sleep(0)
            return
        news = asyncio.create_task(self._news.wait())
        try:
            await asyncio.wait({news, reader}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()

    async def _apply(self, due: Due) -> None:
        if due.is_deletion:
            self._following.forget(due)
        else:
            before = self._memory.copy(due.key)
            outcome = self._following.is_here(due) or await self._refetch(due)
            self._teller.tell(self._following.refetched(due, before, outcome))
        # Listeners that are slow are not given more and more to do.
        await self._teller.told()

    async def _refetch(self, due: Due) -> Known | Exception:
        with self._fetcher.fetches.asked_by_watch(due.key, due.stamp):
            try:
                outcome = await self._fetcher.fresh(due.key)
            except ClientClosedError:
                raise
            # The next prompt is not held up by a fault of this SDK with this one.
            except Exception as error:  # noqa: BLE001 (logged as the failure it is)
                return error
        return outcome.error if isinstance(outcome, Failure) else outcome

    async def _tell(self, telling: Telling) -> None:
        self._teller.tell(telling)
        await self._teller.told()
