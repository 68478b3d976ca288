"""Messages that people are shown: stored in the form that the settings allow, and sealed in full
until they have decided."""

from promptops_platform.approvals import repository
from promptops_platform.approvals.tables import ApprovalRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.runlog.redaction import StoredTexts
from promptops_platform.sealing import SecretKeys, Unsealable

UNREADABLE = (
    "*The message can't be read: the secret key that it was stored with is not this platform's.*"
)


class ApprovalMessages:
    """Seals and unseals messages."""

    def __init__(self, keys: SecretKeys, texts: StoredTexts) -> None:
        self._keys = keys
        self.texts = texts

    async def put(self, row: ApprovalRow, message: str) -> None:
        """Store the message in the row."""
        row.message = await self.texts.text(message)
        row.sealed = None
        if row.message != message:
            row.sealed = self._keys.sealer.seal(message, _place_of(row.id))

    def shown(self, row: ApprovalRow) -> str | None:
        """Return the message; None if it is not stored."""
        if row.sealed is None:
            return row.message
        try:
            return self._keys.sealer.unseal(row.sealed, _place_of(row.id))
        except Unsealable:
            return UNREADABLE

    async def rotate(self, transaction: Transaction) -> int:
        """Seal all messages again with the first secret key; messages that can't be read stay
        unchanged. Returns how many were sealed."""
        count, sealer = 0, self._keys.sealer
        async for row in repository.all_sealed(transaction.session):
            place = _place_of(row.id)
            try:
                row.sealed = sealer.seal(sealer.unseal(row.sealed or "", place), place)
                count += 1
            except Unsealable:
                continue
        return count


def _place_of(approval_id: str) -> str:
    return f"approval:{approval_id}"
