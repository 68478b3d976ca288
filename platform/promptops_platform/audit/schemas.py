"""Audit entries on the wire."""

from datetime import datetime

from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example


class AuditEntry(Resource):
    model_config = example(
        id="42",
        action="publish",
        resource="prompt",
        resource_id="0f3c5d7e9a3f2a1c",
        key="greeting",
        summary="published v2",
        created_at="2026-03-14T09:26:53.589793Z",
        actor="ada",
        workspace_id="default",
    )

    id: str
    action: str
    resource: str
    resource_id: str
    key: str
    summary: str
    created_at: datetime
    actor: str
    workspace_id: str | None
