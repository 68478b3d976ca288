"""Records changes to prompts in the change feed and in the audit trail."""

from collections.abc import Mapping
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.schemas import Change, ChangeType, Reason
from promptops_platform.changes.service import ChangeLog
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.prompts.body import Body
from promptops_platform.prompts.tables import PromptRow


class PromptRecorder:
    """Writes in the transaction of the change."""

    def __init__(self, audit: AuditTrail, changes: ChangeLog) -> None:
        self._audit = audit
        self._changes = changes

    def changed(
        self,
        transaction: Transaction,
        row: PromptRow,
        kind: ChangeType,
        *,
        env: str | None = None,
        version: str | None = None,
        reason: Reason | None = None,
    ) -> None:
        """Add to the feed; environment and label default to the row's."""
        change = Change(
            type=kind,
            resource_id=row.id,
            workspace_id=row.workspace_id,
            key=row.key,
            env=env or row.env,
            version=version or row.version,
            reason=reason,
        )
        self._changes.record(transaction, change)

    def audited(
        self,
        transaction: Transaction,
        row: PromptRow,
        actor: Actor,
        action: str,
        summary: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Add to the audit trail."""
        self._audit.record(
            transaction,
            actor=actor,
            action=action,
            resource="prompt",
            resource_id=row.id,
            key=row.key,
            summary=summary,
            workspace_id=row.workspace_id,
            before=before,
            after=after,
        )


def audit_fields(row: PromptRow, **more: Any) -> dict[str, Any]:
    """Return the fields of a prompt for the audit trail."""
    fields = {name: getattr(row, name) for name in ("name", "version", "env", "category", "tags")}
    return {**fields, **Body.of(row).columns(), **more}
