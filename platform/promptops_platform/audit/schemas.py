"""Audit entries on the wire."""

from datetime import datetime

from promptops_platform.http.envelope import Resource


class AuditEntry(Resource):
    id: str
    action: str
    resource: str
    resource_id: str
    key: str
    summary: str
    created_at: datetime
    actor: str
    workspace_id: str | None
