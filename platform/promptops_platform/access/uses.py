"""Writes down, once a minute, which sessions and keys were used."""

import asyncio
from datetime import timedelta

import structlog

from promptops_platform.access.credentials import CredentialMirror
from promptops_platform.access.keys import KeyService
from promptops_platform.access.service import AccessService
from promptops_platform.db.unit_of_work import Database

log = structlog.get_logger(__name__)

EVERY_SECONDS = 60.0
# A session's expiry moves in such parts of its lifetime: each move is a change in the feed.
STEPS = 20


class UseLog:
    """Lets used sessions live on, and remembers when a key was last used."""

    def __init__(
        self,
        *,
        database: Database,
        credentials: CredentialMirror,
        access: AccessService,
        keys: KeyService,
        session_lifetime: timedelta,
    ) -> None:
        self._database = database
        self._credentials = credentials
        self._access = access
        self._keys = keys
        self._lifetime = session_lifetime
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._write_forever(), name="uses")

    async def stop(self) -> None:
        """Write what is left, and end."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        self._task = None
        await self._write_or_log()

    async def write(self) -> None:
        """Write what was used since the last time."""
        used = self._credentials.take_uses()
        due = self._lifetime - self._lifetime / STEPS
        extended = [
            (each, at)
            for each, at in used
            if each.is_session and each.expires_at is not None and each.expires_at - at < due
        ]
        keys = sorted((each.id, at) for each, at in used if not each.is_session)
        if not extended and not keys:
            return
        async with self._database.write() as transaction:
            for key_id, at in keys:
                await self._keys.note_use(transaction, key_id, at)
            for each, at in sorted(extended, key=lambda pair: pair[0].id):
                await self._access.extend(transaction, each.id, at)

    async def _write_forever(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self._write_or_log()

    async def _write_or_log(self) -> None:
        try:
            await self.write()
        except Exception:
            log.exception("uses_not_written")
