"""Sessions and API keys in memory: fetches and watches authenticate without a query.

The mirror stores the effective role of each key, which is never higher than the role of its maker;
keys without any permission are left out. It therefore reloads keys whenever a user, a workspace or
its members change.
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
# Sessions that are only in memory because the disk is full.
MOST_UNSTORED = 100
SESSION_CHANGES = frozenset({ChangeType.SESSION_SAVED, ChangeType.SESSION_CLOSED})
KEY_CHANGES = frozenset({ChangeType.KEY_SAVED, ChangeType.KEY_REVOKED})
# The keys of a workspace are deleted with it.
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
        """Return the session or key with this token, unless it has expired."""
        credential = self._by_hash.get(token_hash)
        if credential is None:
            return None
        if credential.expires_at is not None and credential.expires_at <= self._clock.now():
            return None
        return credential

    def add_unstored(self, session: Credential) -> None:
        """Keep a session that could not be stored because the disk is full. Beyond a limit the
        oldest one is dropped."""
        self._by_hash[session.token_hash] = session
        self._hash_by_id[session.id] = session.token_hash
        self._unstored.append(session.token_hash)
        if len(self._unstored) > MOST_UNSTORED:
            self.forget_unstored(self._unstored[0])

    def forget_unstored(self, token_hash: str) -> None:
        """End such a session; does nothing for other sessions."""
        if token_hash in self._unstored:
            self._unstored.remove(token_hash)
            session = self._by_hash.pop(token_hash, None)
            if session is not None:
                del self._hash_by_id[session.id]

    def forget_unstored_of(self, user_id: str, *, but: str | None) -> int:
        """End such sessions of a user, except the one with this hash if given; return their
        number."""
        ended = [
            token_hash
            for token_hash in self._unstored
            if token_hash != but and self._is_of(token_hash, user_id)
        ]
        for token_hash in ended:
            self.forget_unstored(token_hash)
        return len(ended)

    def _is_of(self, token_hash: str, user_id: str) -> bool:
        session = self._by_hash.get(token_hash)
        return session is not None and session.actor.user_id == user_id

    def note_use(self, credential: Credential) -> None:
        """Record that it was used now. `take_uses` returns the recorded uses to be written to the
        database."""
        self._used[credential.id] = self._clock.now()

    def take_uses(self) -> dict[str, datetime]:
        """Return when sessions and keys were used since the last call, by id."""
        used, self._used = self._used, {}
        return used

    def give_back_uses(self, used: Mapping[str, datetime]) -> None:
        """Record uses again that could not be written."""
        self._used = {**used, **self._used}

    def by_id(self, ids: Iterable[str]) -> list[Credential]:
        """Return those that still exist."""
        credentials = (self._by_hash.get(self._hash_by_id.get(id_, "")) for id_ in ids)
        return [credential for credential in credentials if credential is not None]

    async def load(self) -> None:
        async with self._database.read() as transaction:
            now = self._clock.now()
            credentials = await repository.session_credentials(transaction.session, now)
            credentials += await key_repository.key_credentials(transaction.session, now)
        self._by_hash = {credential.token_hash: credential for credential in credentials}
        self._hash_by_id = {credential.id: credential.token_hash for credential in credentials}

    async def apply(self, changes: Sequence[NumberedChange]) -> None:
        if any(numbered.change.type in RELOADING for numbered in changes):
            await self.load()
            return
        ids = {
            numbered.change.resource_id
            for numbered in changes
            if numbered.change.type in SESSION_CHANGES | KEY_CHANGES
        }
        users = _ids_of(changes, ChangeType.USER_CHANGED)
        workspaces = _ids_of(changes, ChangeType.WORKSPACE_SAVED)
        if not ids and not users and not workspaces:
            return
        # The query doesn't list their ids: a user may have more sessions than a statement accepts
        # parameters.
        affected = {
            credential.id
            for credential in self._by_hash.values()
            if _depends_on(credential.actor, users, workspaces)
        }
        now = self._clock.now()
        async with self._database.read() as transaction:
            renewed = await repository.session_credentials(
                transaction.session, now, ids=ids, users=users
            )
            renewed += await key_repository.key_credentials(
                transaction.session, now, ids=ids, owners=users, workspaces=workspaces
            )
        for id_ in ids | affected:
            self._by_hash.pop(self._hash_by_id.pop(id_, ""), None)
        for credential in renewed:
            self._by_hash[credential.token_hash] = credential
            self._hash_by_id[credential.id] = credential.token_hash
        self._forget_expired()

    def _forget_expired(self) -> None:
        """Expired rows are deleted without a change in the feed; runs at most once a minute."""
        now = self._clock.now()
        if now < self._next_cleaning:
            return
        self._next_cleaning = now + CLEAN_EVERY
        expired = [
            token_hash
            for token_hash in self._by_hash.values()
            if token_hash.expires_at is not None and token_hash.expires_at <= now
        ]
        for credential in expired:
            del self._by_hash[credential.token_hash]
            del self._hash_by_id[credential.id]


def _ids_of(changes: Sequence[NumberedChange], kind: ChangeType) -> set[str]:
    return {numbered.change.resource_id for numbered in changes if numbered.change.type == kind}


def _depends_on(actor: Actor, users: set[str], workspaces: set[str]) -> bool:
    """Whether the permissions of a session or key depend on one of these."""
    return actor.user_id in users or actor.owner_id in users or actor.workspace_id in workspaces
