"""The keys of connections: encrypted, bound to their rows, and read by one secret key."""

from dataclasses import dataclass

from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import SecretUnreadable, StartRefused
from promptops_platform.providers import repository
from promptops_platform.providers.tables import ConnectionRow
from promptops_platform.sealing import Sealer, SecretKeys, Unsealable

CHECK_PLACE, CHECK_TEXT = "check", "promptops"
# The end of a shorter key would reveal too much of it.
SHORTEST_HINTED = 20
HINT_CHARACTERS = 4

OTHER_KEY = (
    "the API keys of model providers in this database were encrypted with another secret key; "
    "set PROMPTOPS_SECRET_KEY to the one of the platform that stored them (its data folder has it "
    "in secret.key)"
)


@dataclass(frozen=True, slots=True)
class Rotation:
    """How many keys were encrypted again, and the connections whose key could not be read."""

    renewed: int
    unreadable: tuple[ConnectionRow, ...]


class Vault:
    """Encrypts and decrypts keys.

    The database has a known text that is encrypted like the keys, the check. It is stored with the
    first key. From then on a platform with another secret key is refused while there is a key that
    it can't read.
    """

    def __init__(self, keys: SecretKeys) -> None:
        self._keys = keys

    async def set_key(self, transaction: Transaction, row: ConnectionRow, key: str | None) -> None:
        """Set the key of `row`, or remove it; raises SecretUnreadable where the database's keys are
        encrypted with another secret key."""
        if key is None:
            row.sealed_key, row.key_hint = None, ""
            return
        await self._claim(transaction)
        row.sealed_key = self._keys.sealer.seal(key, _place(row))
        row.key_hint = key[-HINT_CHARACTERS:] if len(key) >= SHORTEST_HINTED else ""

    def key_of(self, row: ConnectionRow) -> str | None:
        """The key of `row`, None where it has none; raises SecretUnreadable."""
        if row.sealed_key is None:
            return None
        try:
            return self._keys.sealer.unseal(row.sealed_key, _place(row))
        except Unsealable as error:
            raise SecretUnreadable(
                f"the API key of connection {row.name!r} can't be decrypted: {error}; store the "
                "key again, or give this platform the secret key of the one that stored it"
            ) from error

    async def check(self, transaction: Transaction) -> None:
        """Raises StartRefused where this platform can't read the stored keys. Makes the secret key
        of a new data folder."""
        await self.require_key(transaction)
        sealed = await repository.check(transaction.session)
        self._keys.make_missing()
        if sealed is None or _reads(self._keys.sealer, sealed):
            return
        if await repository.has_any_key(transaction.session):
            raise StartRefused(
                f"{OTHER_KEY}. Nothing was changed. When that key is lost: "
                "promptops rotate-secrets --forget-unreadable"
            )

    async def rotate(self, transaction: Transaction, *, forget: bool) -> Rotation:
        """Encrypt all keys again, with the first secret key. With `forget`, those that can't be
        read are removed; without it, the caller must not commit while there are any. Raises
        StartRefused where the secret key is missing, without `forget`."""
        if not forget:
            await self.require_key(transaction)
        rows = await repository.with_key(transaction.session)
        unreadable = tuple(row for row in rows if not self._renewed(row))
        if forget:
            for row in unreadable:
                row.sealed_key, row.key_hint = None, ""
        fresh = self._keys.sealer.seal(CHECK_TEXT, CHECK_PLACE)
        (await repository.lock_check(transaction.session, fresh)).sealed = fresh
        return Rotation(len(rows) - len(unreadable), unreadable)

    async def require_key(self, transaction: Transaction) -> None:
        """Raises StartRefused where the secret key is missing and stored keys need it."""
        missing = self._keys.missing
        if missing is not None and await repository.has_any_key(transaction.session):
            raise StartRefused(
                f"{missing} is missing, and the API keys of model providers in this database were "
                "encrypted with it; put it back from a backup, or set PROMPTOPS_SECRET_KEY to its "
                "text. Nothing was changed. When it is lost: "
                "promptops rotate-secrets --forget-unreadable"
            )

    async def _claim(self, transaction: Transaction) -> None:
        fresh = self._keys.sealer.seal(CHECK_TEXT, CHECK_PLACE)
        check = await repository.lock_check(transaction.session, fresh)
        if _reads(self._keys.sealer, check.sealed):
            return
        if await repository.has_any_key(transaction.session):
            raise SecretUnreadable(OTHER_KEY)
        check.sealed = fresh

    def _renewed(self, row: ConnectionRow) -> bool:
        try:
            key = self.key_of(row)
        except SecretUnreadable:
            return False
        if key is not None:
            row.sealed_key = self._keys.sealer.seal(key, _place(row))
        return True


def _reads(sealer: Sealer, sealed: str) -> bool:
    try:
        return sealer.unseal(sealed, CHECK_PLACE) == CHECK_TEXT
    except Unsealable:
        return False


def _place(row: ConnectionRow) -> str:
    """Where the key belongs: this row, and what it is sent to."""
    return "\n".join(("connection", row.workspace_id, row.id, row.kind, row.base_url))
