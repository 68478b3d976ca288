"""Records each step of a change request in its events, the audit trail and the feed."""

from promptops_platform.access.actor import Actor
from promptops_platform.audit.service import AuditTrail
from promptops_platform.change_requests import repository
from promptops_platform.change_requests.tables import ChangeRequestEventRow, ChangeRequestRow
from promptops_platform.change_requests.views import summary_of
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction

RESOURCE = "change_request"
COMMENT = "comment"


class RequestJournal:
    """Records steps, in their transactions."""

    def __init__(self, audit: AuditTrail, changes: ChangeLog, clock: Clock) -> None:
        self._audit = audit
        self._changes = changes
        self._clock = clock

    def record(
        self,
        transaction: Transaction,
        row: ChangeRequestRow,
        action: str,
        actor: Actor,
        comment: str = "",
        *,
        summary: str | None = None,
    ) -> None:
        """Add an event and, unless it is only a comment, an audit entry with `summary`, which is by
        default a sentence about the change."""
        now = row.updated_at = self._clock.now()
        event = ChangeRequestEventRow(
            request_id=row.id, action=action, comment=comment, actor=actor.name, created_at=now
        )
        repository.add(transaction.session, event)
        change = Change(
            ChangeType.CHANGE_REQUEST_CHANGED, row.id, row.workspace_id, row.key, row.env
        )
        self._changes.record(transaction, change)
        if action == COMMENT:
            return
        self._audit.record(
            transaction,
            actor=actor,
            action=action,
            resource=RESOURCE,
            resource_id=row.id,
            key=row.key,
            summary=summary or f"{summary_of(row)}; proposed by {row.author}",
            workspace_id=row.workspace_id,
            after={"state": row.state, "env": row.env, **({"comment": comment} if comment else {})},
        )
