"""Audit entries on the wire."""

from datetime import datetime
from typing import Any

from promptops_platform.http.envelope import Resource


class AuditEntry(Resource):
    """Who changed what: `before` and `after` hold the fields that differ, null where there was no
    before or no after; `request_id` is the one that the answer carried."""

    id: str
    action: str
    resource: str
    resource_id: str
    key: str
    summary: str
    created_at: datetime
    actor: str
    workspace_id: str | None
    address: str
    request_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
