"""Routes of the audit trail."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.audit.schemas import AuditEntry, AuditFilter
from promptops_platform.audit.service import AuditTrail
from promptops_platform.http.envelope import CappedPage
from promptops_platform.http.paging import DEFAULT_PAGE, Limit, Offset
from promptops_platform.http.transactions import Read
from promptops_platform.text import OptionalLine, OptionalTime

router = APIRouter(prefix="/api/audit", tags=["audit"])


def _service(request: Request) -> AuditTrail:
    service: AuditTrail = request.app.state.audit
    return service


@router.get("")
async def list_audit(
    service: Annotated[AuditTrail, Depends(_service)],
    transaction: Read,
    actor: OptionalLine = None,
    action: OptionalLine = None,
    resource: OptionalLine = None,
    resource_id: OptionalLine = None,
    key: OptionalLine = None,
    since: Annotated[OptionalTime, Query(alias="from", description="Inclusive.")] = None,
    until: Annotated[OptionalTime, Query(alias="to", description="Exclusive.")] = None,
    limit: Limit = DEFAULT_PAGE,
    offset: Offset = 0,
    caller: Actor = permits(Permission.AUDIT_READ),
) -> CappedPage[AuditEntry]:
    """Who changed what, newest first."""
    wanted = AuditFilter(actor, action, resource, resource_id, key, None, since=since, until=until)
    found = await service.page(transaction, wanted, actor=caller, limit=limit, offset=offset)
    return CappedPage(
        data=[AuditEntry.of(row, id=str(row.id)) for row in found.rows],
        total=found.total,
        total_is_at_least=found.total_is_at_least,
    )
