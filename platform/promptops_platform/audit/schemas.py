"""Audit entries on the wire."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel

from promptops_platform.db.tables import AuditRow


class AuditEntry(BaseModel):
    id: str
    action: str
    resource: str
    resource_id: str
    key: str
    summary: str
    created_at: datetime
    actor: str
    workspace_id: str | None

    @classmethod
    def of(cls, row: AuditRow) -> Self:
        return cls(
            id=str(row.id),
            action=row.action,
            resource=row.resource,
            resource_id=row.resource_id,
            key=row.key,
            summary=row.summary,
            created_at=row.created_at,
            actor=row.actor,
            workspace_id=row.workspace_id,
        )
