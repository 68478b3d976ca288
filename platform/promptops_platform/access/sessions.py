"""The sessions in memory, so that no fetch or watch asks the database who calls."""

from collections.abc import Sequence
from datetime import timedelta

from promptops_platform.access import repository
from promptops_platform.access.repository import OpenSession
from promptops_platform.changes.schemas import ChangeType, NumberedChange
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database

CLEAN_EVERY = timedelta(minutes=1)
SESSION_CHANGES = frozenset({ChangeType.SESSION_OPENED, ChangeType.SESSION_CLOSED})


class SessionMirror:
    """All open sessions by the hash of their token; a consumer of the change feed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._by_hash: dict[str, OpenSession] = {}
        self._hash_by_id: dict[str, str] = {}
        self._next_cleaning = clock.now()

    def find(self, token_hash: str) -> OpenSession | None:
        """The session with this token, unless it has expired."""
        found = self._by_hash.get(token_hash)
        if found is None or found.expires_at <= self._clock.now():
            return None
        return found

    async def load(self) -> None:
        async with self._database.read() as transaction:
            sessions = await repository.open_sessions(transaction.session, self._clock.now())
        self._by_hash = {each.token_hash: each for each in sessions}
        self._hash_by_id = {each.id: each.token_hash for each in sessions}

    async def apply(self, changes: Sequence[NumberedChange]) -> None:
        ids = [each.change.resource_id for each in changes if each.change.type in SESSION_CHANGES]
        if not ids:
            return
        async with self._database.read() as transaction:
            sessions = await repository.open_sessions(transaction.session, self._clock.now(), ids)
        for each in ids:
            self._by_hash.pop(self._hash_by_id.pop(each, ""), None)
        for session in sessions:
            self._by_hash[session.token_hash] = session
            self._hash_by_id[session.id] = session.token_hash
        self._forget_expired()

    def _forget_expired(self) -> None:
        """Expired rows are deleted without a change in the feed; at most once a minute."""
        now = self._clock.now()
        if now < self._next_cleaning:
            return
        self._next_cleaning = now + CLEAN_EVERY
        for session in [each for each in self._by_hash.values() if each.expires_at <= now]:
            del self._by_hash[session.token_hash]
            del self._hash_by_id[session.id]
