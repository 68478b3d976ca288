"""Writes once a minute which sessions and keys were used, and deletes what has expired."""

import asyncio
from datetime import datetime, timedelta

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.access.credential_mirror import CredentialMirror
from promptops_platform.access.keys import KeyService
from promptops_platform.access.repository import Credential
from promptops_platform.access.service import AccessService
from promptops_platform.db.unit_of_work import Database

log = structlog.get_logger(__name__)

EVERY_SECONDS = 60.0
# A session's expiry is extended in steps of this part of its lifetime: each step is a change in the
# feed.
STEPS = 20


class UseLog:
    """Extends used sessions, and records when a key was last used."""

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
        """Write what is left, and stop."""
        if self._task is None:
            return
        await end_tasks(self._task)
        self._task = None
        await self._write_or_log()
        await self._clean_or_log()

    async def write(self) -> None:
        """Write what was used since the last time; what can't be written is kept for the next
        time."""
        used = self._credentials.take_uses()
        credentials = self._credentials.by_id(used)
        keys = {
            credential.id: used[credential.id]
            for credential in credentials
            if not credential.is_session
        }
        due = {
            credential.id: used[credential.id]
            for credential in credentials
            if self._is_due(credential, used[credential.id])
        }
        if not keys and not due:
            return
        try:
            async with self._database.write(background=True) as transaction:
                await self._keys.note_uses(transaction, keys)
                await self._access.extend(transaction, due)
        except BaseException:
            self._credentials.give_back_uses(used)
            raise

    def _is_due(self, credential: Credential, used_at: datetime) -> bool:
        """Whether a session's expiry is due to be extended."""
        if not credential.is_session or credential.expires_at is None:
            return False
        return credential.expires_at - used_at < self._lifetime - self._lifetime / STEPS

    async def _write_forever(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self._write_or_log()
            await self._clean_or_log()

    async def _write_or_log(self) -> None:
        try:
            await self.write()
        except Exception:
            log.exception("uses_not_written")

    async def _clean_or_log(self) -> None:
        try:
            await self._access.clean()
        except Exception:
            log.exception("expired_not_deleted")
