"""Reads the audit trail: over the API, and from the database."""

from typing import Any

from sqlalchemy import func, select, text

from harness.platform import RunningPlatform
from promptops_platform.audit.tables import AuditCountRow, AuditRow

Entry = dict[str, Any]


async def listed(platform: RunningPlatform, **query: str | int) -> list[Entry]:
    """The entries that match these filters."""
    answer = await platform.http.get("/api/audit", params={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    entries: list[Entry] = answer.json()["data"]
    return entries


async def counts(platform: RunningPlatform) -> tuple[dict[str, int], dict[str, int]]:
    """Entries by workspace, as counted and as stored."""
    async with platform.platform.database.read() as transaction:
        kept = await transaction.session.execute(select(AuditCountRow.scope, AuditCountRow.total))
        scope = func.coalesce(AuditRow.workspace_id, "")
        real = await transaction.session.execute(select(scope, func.count()).group_by(scope))
        return dict(tuple(row) for row in kept), dict(tuple(row) for row in real)


async def stored_text(platform: RunningPlatform) -> str:
    """All rows of the audit table."""
    async with platform.platform.database.read() as transaction:
        rows = await transaction.session.execute(text("SELECT * FROM audit_entries"))
        return "\n".join(str(tuple(row)) for row in rows)
