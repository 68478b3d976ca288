"""Sessions and API keys in memory, so that no fetch or watch asks the database who calls.

A key stands here with the role that it has now, which its maker's caps; one that may do nothing is
left out. So it is read anew whenever a user changes, or a workspace with its members.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from promptops_platform.access import key_repository, repository
from promptops_platform.access.actor import Actor
from promptops_platform.access.repository import Credential
from promptops_platform.changes.schemas import ChangeType, NumberedChange
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database

CLEAN_EVERY = timedelta(minutes=1)
# Sessions that are in memory only, on a full disk.
MOST_UNSTORED = 100
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
        self._unstored: list[str] = []
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

    def add_unstored(self, session: Credential) -> None:
        """Take a session that the database has no room for; beyond some, the oldest goes."""
        self._by_hash[session.token_hash] = session
        self._hash_by_id[session.id] = session.token_hash
        self._unstored.append(session.token_hash)
        if len(self._unstored) > MOST_UNSTORED:
            self.forget_unstored(self._unstored[0])

    def forget_unstored(self, token_hash: str) -> None:
        """End such a session; harmless for another."""
        if token_hash in self._unstored:
            self._unstored.remove(token_hash)
            session = self._by_hash.pop(token_hash, None)
            if session is not None:
                del self._hash_by_id[session.id]

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
            now = self._clock.now()
            found = await repository.session_credentials(transaction.session, now)
            found += await key_repository.key_credentials(transaction.session, now)
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
        users = _ids_of(changes, ChangeType.USER_CHANGED)
        workspaces = _ids_of(changes, ChangeType.WORKSPACE_SAVED)
        if not ids and not users and not workspaces:
            return
        # Not asked for by their ids: a user may have more sessions than a statement takes values.
        affected = {
            each.id for each in self._by_hash.values() if _depends_on(each.actor, users, workspaces)
        }
        now = self._clock.now()
        async with self._database.read() as transaction:
            found = await repository.session_credentials(
                transaction.session, now, ids=ids, users=users
            )
            found += await key_repository.key_credentials(
                transaction.session, now, ids=ids, owners=users, workspaces=workspaces
            )
        for each in ids | affected:
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


def _ids_of(changes: Sequence[NumberedChange], kind: ChangeType) -> set[str]:
    return {each.change.resource_id for each in changes if each.change.type == kind}


def _depends_on(actor: Actor, users: set[str], workspaces: set[str]) -> bool:
    """Whether the rights of a session or key follow from one of these."""
    return actor.user_id in users or actor.owner_id in users or actor.workspace_id in workspaces
