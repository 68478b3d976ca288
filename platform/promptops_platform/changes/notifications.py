"""PostgreSQL's LISTEN: wakes the feed when another replica has committed a change."""

import asyncio

import asyncpg
import structlog
from sqlalchemy.engine import make_url

from promptops_platform.changes.feed import Feed
from promptops_platform.changes.repository import NOTIFY_CHANNEL

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 5.0
RECONNECT_SECONDS = 1.0


class Notifications:
    """Listens on a connection of its own, and again after that was lost."""

    def __init__(self, sqlalchemy_url: str, feed: Feed) -> None:
        url = make_url(sqlalchemy_url).set(drivername="postgresql")
        self._dsn = url.render_as_string(hide_password=False)
        self._feed = feed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen, in the background."""
        self._task = asyncio.create_task(self._listen(), name="change-notifications")

    async def stop(self) -> None:
        """Stop listening and close the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                # The feed polls meanwhile; nothing is lost, it only comes later.
                log.warning("notifications_lost", error=str(error))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=CONNECT_SECONDS)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        try:
            await connection.add_listener(NOTIFY_CHANNEL, lambda *_payload: self._feed.wake())
            self._feed.wake()
            await lost.wait()
        finally:
            await connection.close(timeout=CONNECT_SECONDS)
