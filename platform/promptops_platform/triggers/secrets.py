"""The webhook secrets of triggers: encrypted, bound to their triggers, and rotated with an
overlap."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from promptops_flows.steps.standard_webhooks import new_secret
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import SecretUnreadable, StartRefused
from promptops_platform.sealing import SecretKeys, Unsealable
from promptops_platform.triggers import repository
from promptops_platform.triggers.tables import TriggerRow


@dataclass(frozen=True, slots=True)
class ResealedSecrets:
    """The number of triggers whose secrets were encrypted again, and the keys of triggers that were
    disabled because their secret was unreadable."""

    renewed: int
    unreadable: tuple[str, ...]


class TriggerSecrets:
    """Creates and decrypts secrets."""

    def __init__(self, keys: SecretKeys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def make(self, row: TriggerRow) -> str:
        """Create the first secret of a trigger, and return it."""
        secret = new_secret()
        row.sealed_secret = self._keys.sealer.seal(secret, _place(row))
        row.sealed_previous = row.previous_until = None
        return secret

    def rotate(self, row: TriggerRow, overlap: timedelta) -> str:
        """Replace the secret, and return the new one; both are valid for a while."""
        previous = row.sealed_secret
        secret = self.make(row)
        if overlap > timedelta(0):
            row.sealed_previous, row.previous_until = previous, self._clock.now() + overlap
        return secret

    def valid_secrets(self, row: TriggerRow) -> tuple[str, ...]:
        """Return the valid secrets, newest first; raises SecretUnreadable."""
        sealed = [row.sealed_secret]
        if row.previous_until is not None and self._clock.now() < row.previous_until:
            sealed.append(row.sealed_previous)
        try:
            return tuple(self._keys.sealer.unseal(text, _place(row)) for text in sealed if text)
        except Unsealable as error:
            raise SecretUnreadable(
                f"the secret of trigger {row.key!r} can't be decrypted: {error}; rotate it with "
                f"POST /api/triggers/{row.id}/rotate-secret, or give this platform the secret key "
                "of the one that stored it"
            ) from error

    async def check(self, transaction: Transaction) -> None:
        """Raises StartRefused if the secret key is missing and stored secrets need it."""
        missing = self._keys.missing
        if missing is not None and await repository.any_secret(transaction.session):
            raise StartRefused(
                f"{missing} is missing, and the secrets of webhooks in this database were "
                "encrypted with it; put it back from a backup, or set PROMPTOPS_SECRET_KEY to its "
                "text. Nothing was changed. When it is lost: "
                "promptops rotate-secrets --forget-unreadable"
            )

    async def reseal(self, transaction: Transaction, *, forget: bool) -> ResealedSecrets:
        """Encrypt all secrets again with the first secret key. Raises SecretUnreadable for a secret
        that can't be read, unless `forget` is set: then its trigger gets a new secret and is
        disabled."""
        rows = await repository.sealed(transaction.session)
        unreadable: list[str] = []
        for row in rows:
            if not self._resealed(row):
                unreadable.append(row.key)
                if forget:
                    self.make(row)
                    row.enabled = False
        if unreadable and not forget:
            raise SecretUnreadable(
                f"nothing was changed: the secrets of these triggers can't be read: "
                f"{', '.join(unreadable)}; give their secret key in PROMPTOPS_SECRET_KEY as well, "
                "or pass --forget-unreadable"
            )
        return ResealedSecrets(len(rows) - len(unreadable), tuple(unreadable))

    def _resealed(self, row: TriggerRow) -> bool:
        sealer, place = self._keys.sealer, _place(row)
        try:
            for name in ("sealed_secret", "sealed_previous"):
                if (sealed := getattr(row, name)) is not None:
                    setattr(row, name, sealer.seal(sealer.unseal(sealed, place), place))
        except Unsealable:
            return False
        return True


def _place(row: TriggerRow) -> str:
    """Return the place that the secret is bound to."""
    return "\n".join(("trigger", row.workspace_id, row.id))


def until(row: TriggerRow, now: datetime) -> datetime | None:
    """Return until when the previous secret is valid; None if it isn't."""
    return row.previous_until if row.previous_until and row.previous_until > now else None
