"""PostgreSQL's LISTEN and NOTIFY: wakes the feed when another replica has committed a change, and
reports the revision of this one to the others."""

import asyncio
from typing import Any

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.changes.feed import Feed
from promptops_platform.changes.replicas import Replicas
from promptops_platform.changes.repository import NOTIFY_CHANNEL, REPLICA_CHANNEL, SIGNAL_CHANNEL
from promptops_platform.changes.signals import Signals
from promptops_platform.db.driver_errors import postgres_errors
from promptops_platform.db.engine import connect_postgres
from promptops_platform.db.location import PostgresUrl

log = structlog.get_logger(__name__)

CLOSE_SECONDS = 5.0
RECONNECT_SECONDS = 1.0
# A silently cut connection is noticed when a notification can't be sent.
SEND_SECONDS = 3.0


class Notifications:
    """Listens on a connection of its own, and reconnects when it is lost."""

    def __init__(
        self, location: PostgresUrl, feed: Feed, replicas: Replicas, signals: Signals
    ) -> None:
        self._location = location
        self._feed = feed
        self._replicas = replicas
        self._signals = signals
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen, in the background."""
        self._task = asyncio.create_task(self._listen(), name="change-notifications")

    async def stop(self) -> None:
        """Stop listening and close the connection."""
        await end_tasks(self._task)

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except postgres_errors(OSError, TimeoutError) as error:
                # The feed polls meanwhile, so changes are late but not lost.
                log.warning("notifications_lost", error=str(error))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        connection = await connect_postgres(self._location)
        progress = self._replicas.progress
        # Wakes the loop below, which then fails on the connection.
        connection.add_termination_listener(lambda _connection: progress.set())
        try:
            await connection.add_listener(NOTIFY_CHANNEL, lambda *_payload: self._feed.wake())
            await connection.add_listener(
                REPLICA_CHANNEL, lambda *payload: self._replicas.receive(payload[-1])
            )
            await connection.add_listener(
                SIGNAL_CHANNEL, lambda *payload: self._signals.receive(payload[-1])
            )
            self._feed.wake()
            while True:
                await progress.wait()
                progress.clear()
                await self._send_reports(connection)
        finally:
            await connection.close(timeout=CLOSE_SECONDS)

    async def _send_reports(self, connection: Any) -> None:
        reports = [(REPLICA_CHANNEL, self._replicas.payload())]
        reports += [(SIGNAL_CHANNEL, payload) for payload in self._signals.take()]
        for channel, payload in reports:
            await connection.execute(
                "SELECT pg_notify($1, $2)", channel, payload, timeout=SEND_SECONDS
            )
