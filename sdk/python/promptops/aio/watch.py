"""The task of a watch, which receives events and keeps cached prompts up to date."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial

from promptops.aio.cancellation import end_task, within
from promptops.aio.fetch_tasks import AsyncFetcher
from promptops.aio.notifier import Notifier
from promptops.aio.websocket import AsyncWebSocket
from promptops.backoff import Backoff
from promptops.errors import (
    ClientClosedError,
    ForbiddenError,
    PromptOpsError,
    UnauthorizedError,
)
from promptops.frames import FloodError
from promptops.listeners import Listeners, Notification
from promptops.prompt_store import CachedPrompt, Failure
from promptops.sync_state import Due, SyncState
from promptops.watch import FLOODED_SECONDS
from promptops.websocket import TOKEN_ENDED, ConnectionLostError

logger = logging.getLogger("promptops")


class AsyncWatch:
    """Receives the server's events in a task, and reconnects as often as necessary."""

    def __init__(
        self,
        connect: Callable[[SyncState], Awaitable[AsyncWebSocket]],
        sync_state: SyncState,
        fetcher: AsyncFetcher,
        listeners: Listeners,
        notifier: Notifier,
    ) -> None:
        self._connect = connect
        self._sync_state = sync_state
        self._fetcher = fetcher
        self._store = fetcher.policy.store
        self._listeners = listeners
        self._notifier = notifier
        self._reconnect_backoff = Backoff.for_failures()
        self._refused_backoff = Backoff.for_refusals()
        self._activity = asyncio.Event()
        fetcher.policy.wake_watch = self._activity.set
        self._first_attempt = asyncio.Event()
        self._failing = self._closed = False
        self._task = asyncio.create_task(self._run(), name="promptops-watch")

    async def wait_for_first_attempt(self, seconds: float) -> None:
        """Wait until the first connection succeeded or failed."""
        with contextlib.suppress(asyncio.TimeoutError):
            await within(seconds, self._first_attempt.wait())

    def tasks(self) -> list[asyncio.Task[None]]:
        """Return the running tasks."""
        return [self._task]

    async def close(self) -> None:
        """End the task."""
        self._closed = True
        await end_task(self._task)

    async def _run(self) -> None:
        try:
            while not self._closed:
                pause = await self._run_connection()
                await asyncio.sleep(pause)
        except ClientClosedError:
            logger.debug("hot reload ended, the client is closed")
        finally:
            self._first_attempt.set()

    async def _run_connection(self) -> float:
        """Run one connection to its end; returns the seconds to wait before the next one."""
        try:
            await self._serve_connection(await self._connect(self._sync_state))
        except ClientClosedError:
            raise
        except (UnauthorizedError, ForbiddenError) as error:
            pause = self._refused_backoff.delay()
            logger.warning("hot reload is refused, trying again in %.0f s: %s", pause, error)
            await self._notify(partial(self._listeners.notify_refusal, error))
        except PromptOpsError as error:
            pause = self._reconnect_backoff.delay()
            if isinstance(error, FloodError):
                pause = max(pause, FLOODED_SECONDS)
            level = logging.DEBUG if self._failing else logging.WARNING
            logger.log(level, "hot reload stopped, reconnecting until it works: %s", error)
        # A bug of this SDK must not end hot reload.
        except Exception:
            pause = self._reconnect_backoff.delay()
            logger.exception("hot reload stopped, reconnecting")
        self._failing = True
        self._first_attempt.set()
        return pause

    async def _serve_connection(self, websocket: AsyncWebSocket) -> None:
        """Receive events and refetch, until the connection ends."""
        if self._failing:
            logger.warning("hot reload works again")
        self._failing = False
        self._sync_state.connected()
        self._first_attempt.set()
        reader = asyncio.create_task(self._read(websocket))
        try:
            await self._notify(self._listeners.notify_connect)
            await self._process_messages(websocket, reader)
        except ConnectionLostError as error:
            if error.code == TOKEN_ENDED:
                raise UnauthorizedError(401, "the token or session has ended") from error
            raise
        finally:
            self._sync_state.disconnected()
            self._store.mark_unwatched()
            if not self._closed:
                self._notifier.notify(self._listeners.notify_disconnect)
            await end_task(reader)
            await websocket.close()

    async def _read(self, websocket: AsyncWebSocket) -> None:
        opened_at = websocket.last_frame_at
        while True:
            self._sync_state.handle_message(await websocket.receive())
            # Not after the handshake alone, to keep the pauses for a server that drops every
            # connection.
            if websocket.last_frame_at > opened_at:
                self._reconnect_backoff.reset()
                self._refused_backoff.reset()
            self._activity.set()

    async def _process_messages(
        self, websocket: AsyncWebSocket, reader: asyncio.Task[None]
    ) -> None:
        while True:
            self._activity.clear()
            self._sync_state.check_hello_timeout()
            for report in self._sync_state.take_reports():
                await websocket.send(report)
            due = self._sync_state.next_due()
            if due is not None:
                await self._apply_due(due)
            await self._pause(websocket, reader)
            if reader.done():
                reader.result()
            silent = time.monotonic() - websocket.last_frame_at
            if silent >= self._sync_state.silence:
                raise ConnectionLostError(f"the server was silent for {silent:.0f} seconds")

    async def _pause(self, websocket: AsyncWebSocket, reader: asyncio.Task[None]) -> None:
        """Wait until work is due."""
        until_dead = websocket.last_frame_at + self._sync_state.silence - time.monotonic()
        seconds = max(min(until_dead, self._sync_state.seconds_to_next()), 0.0)
        if not seconds:
            await asyncio.sleep(0)
            return
        activity = asyncio.create_task(self._activity.wait())
        try:
            await asyncio.wait(
                {activity, reader}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            activity.cancel()

    async def _apply_due(self, due: Due) -> None:
        if due.is_deletion:
            self._sync_state.apply_deletion(due)
        else:
            previous = self._store.find_copy(due.key)
            outcome = self._sync_state.current_copy(due) or await self._refetch(due)
            self._notifier.notify(self._sync_state.record_refetch(due, previous, outcome))
        # Wait, so that notifications for slow listeners do not pile up.
        await self._notifier.drained()

    async def _refetch(self, due: Due) -> CachedPrompt | Exception:
        with self._fetcher.policy.refetching(due.key, due.position):
            try:
                outcome = await self._fetcher.fetch_fresh(due.key)
            except ClientClosedError:
                raise
            # A bug of this SDK with this prompt must not delay the next one.
            except Exception as error:  # noqa: BLE001 (logged as the failure it is)
                return error
        return outcome.error if isinstance(outcome, Failure) else outcome

    async def _notify(self, notification: Notification) -> None:
        self._notifier.notify(notification)
        await self._notifier.drained()
