"""Routes of the audit trail."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.audit.schemas import AuditEntry
from promptops_platform.audit.service import AuditTrail
from promptops_platform.http.envelope import Page
from promptops_platform.http.paging import DEFAULT_PAGE, Limit, Offset
from promptops_platform.http.transactions import Read

router = APIRouter(prefix="/api/audit", tags=["audit"])


def _service(request: Request) -> AuditTrail:
    service: AuditTrail = request.app.state.audit
    return service


@router.get("")
async def list_audit(
    service: Annotated[AuditTrail, Depends(_service)],
    transaction: Read,
    limit: Limit = DEFAULT_PAGE,
    offset: Offset = 0,
    actor: Actor = permits(Permission.AUDIT_READ),
) -> Page[AuditEntry]:
    """Who changed what, newest first."""
    rows, total = await service.page(transaction, actor=actor, limit=limit, offset=offset)
    return Page(data=[AuditEntry.of(row, id=str(row.id)) for row in rows], total=total)
