"""Sessions and API keys in memory, so that no fetch or watch asks the database who calls."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from promptops_platform.access import repository
from promptops_platform.access.repository import Credential
from promptops_platform.changes.schemas import ChangeType, NumberedChange
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database

CLEAN_EVERY = timedelta(minutes=1)
SESSION_CHANGES = frozenset({ChangeType.SESSION_SAVED, ChangeType.SESSION_CLOSED})
KEY_CHANGES = frozenset({ChangeType.KEY_SAVED, ChangeType.KEY_REVOKED})
# A workspace that goes takes its keys along.
RELOADING = frozenset({ChangeType.WORKSPACE_DELETED})


class CredentialMirror:
    """All valid sessions and keys by the hash of their token; a consumer of the change feed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._by_hash: dict[str, Credential] = {}
        self._hash_by_id: dict[str, str] = {}
        self._used: dict[str, datetime] = {}
        self._next_cleaning = clock.now()

    def find(self, token_hash: str) -> Credential | None:
        """The session or key with this token, unless it has expired."""
        found = self._by_hash.get(token_hash)
        if found is None:
            return None
        if found.expires_at is not None and found.expires_at <= self._clock.now():
            return None
        return found

    def note_use(self, credential: Credential) -> None:
        """Remember that it was used now; somebody writes it later."""
        self._used[credential.id] = self._clock.now()

    def take_uses(self) -> dict[str, datetime]:
        """When sessions and keys were used since the last call, by id."""
        used, self._used = self._used, {}
        return used

    def give_back_uses(self, used: Mapping[str, datetime]) -> None:
        """Remember again what could not be written."""
        self._used = {**used, **self._used}

    def by_id(self, ids: Iterable[str]) -> list[Credential]:
        """Those of them that are still known."""
        found = (self._by_hash.get(self._hash_by_id.get(each, "")) for each in ids)
        return [each for each in found if each is not None]

    async def load(self) -> None:
        async with self._database.read() as transaction:
            found = await repository.credentials(transaction.session, self._clock.now())
        self._by_hash = {each.token_hash: each for each in found}
        self._hash_by_id = {each.id: each.token_hash for each in found}

    async def apply(self, changes: Sequence[NumberedChange]) -> None:
        if any(each.change.type in RELOADING for each in changes):
            await self.load()
            return
        ids = {
            each.change.resource_id
            for each in changes
            if each.change.type in SESSION_CHANGES | KEY_CHANGES
        }
        users = {
            each.change.resource_id
            for each in changes
            if each.change.type == ChangeType.USER_CHANGED
        }
        if not ids and not users:
            return
        # Not asked for by their ids: a user may have more sessions than a statement takes values.
        of_users = {each.id for each in self._by_hash.values() if each.actor.user_id in users}
        async with self._database.read() as transaction:
            found = await repository.credentials(
                transaction.session, self._clock.now(), ids=ids, users=users
            )
        for each in ids | of_users:
            self._by_hash.pop(self._hash_by_id.pop(each, ""), None)
        for credential in found:
            self._by_hash[credential.token_hash] = credential
            self._hash_by_id[credential.id] = credential.token_hash
        self._forget_expired()

    def _forget_expired(self) -> None:
        """Expired rows are deleted without a change in the feed; at most once a minute."""
        now = self._clock.now()
        if now < self._next_cleaning:
            return
        self._next_cleaning = now + CLEAN_EVERY
        expired = [
            each
            for each in self._by_hash.values()
            if each.expires_at is not None and each.expires_at <= now
        ]
        for credential in expired:
            del self._by_hash[credential.token_hash]
            del self._hash_by_id[credential.id]
