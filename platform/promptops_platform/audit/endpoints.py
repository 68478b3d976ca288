"""Routes of the audit trail. No route changes an entry."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.audit.export import FORMATS, Format, exported
from promptops_platform.audit.schemas import EXAMPLE_ENTRY, AuditEntry, AuditFilter
from promptops_platform.audit.service import AuditTrail
from promptops_platform.db.unit_of_work import Database
from promptops_platform.field_types import OptionalLine, OptionalPosition, OptionalTime
from promptops_platform.http.envelope import CappedPage
from promptops_platform.http.paging import DEFAULT_PAGE, Limit, Offset
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Read

router = APIRouter(prefix="/api/audit", tags=["audit"])


def _filter(
    actor: Annotated[OptionalLine, Query(description="Name of the user or the API key.")] = None,
    action: OptionalLine = None,
    resource: Annotated[OptionalLine, Query(description="Kind of resource.")] = None,
    resource_id: OptionalLine = None,
    key: Annotated[OptionalLine, Query(description="Key or name of the resource.")] = None,
    request_id: OptionalLine = None,
    since: Annotated[OptionalTime, Query(description="From this time on.")] = None,
    until: Annotated[OptionalTime, Query(description="Before this time.")] = None,
) -> AuditFilter:
    return AuditFilter(
        actor, action, resource, resource_id, key, request_id, since=since, until=until
    )


Service = Annotated[AuditTrail, provided(AuditTrail)]
Filter = Annotated[AuditFilter, Depends(_filter)]
Workspace = Annotated[OptionalLine, Query(description="Id or slug.")]
Before = Annotated[
    OptionalPosition, Query(description="Id of an entry: only entries before it, at any depth.")
]


@router.get("", summary="List Audit Entries")
async def list_audit(
    service: Service,
    transaction: Read,
    filters: Filter,
    workspace: Workspace = None,
    before: Before = None,
    limit: Limit = DEFAULT_PAGE,
    offset: Offset = 0,
    caller: Actor = permits(Permission.AUDIT_READ),
) -> CappedPage[AuditEntry]:
    """List who changed what, newest first."""
    rows, total = await service.page(
        transaction,
        filters,
        actor=caller,
        workspace=workspace,
        limit=limit,
        offset=offset,
        before=before,
    )
    return CappedPage(
        data=[AuditEntry.of(row, id=str(row.id)) for row in rows],
        total=total.number,
        total_is_at_least=total.is_at_least,
    )


def _described(form: Format) -> dict[str, Any]:
    entry = AuditEntry.model_validate(EXAMPLE_ENTRY)
    return {"schema": {"type": "string", "examples": [form.head + form.write([entry])]}}


@router.get(
    "/export",
    summary="Export Audit Entries",
    response_class=StreamingResponse,
    responses={
        200: {"content": {format_.media_type: _described(format_) for format_ in FORMATS.values()}}
    },
)
async def export_audit(
    service: Service,
    database: Annotated[Database, provided(Database)],
    filters: Filter,
    workspace: Workspace = None,
    before: Before = None,
    form: Annotated[Literal["jsonl", "csv"], Query(alias="format")] = "jsonl",
    caller: Actor = permits(Permission.AUDIT_READ),
) -> StreamingResponse:
    """Stream all entries that match the filters, newest first, as of the start of the export.

    If it fails midway, the connection is closed; continue with `before` and the last id that you
    received.
    """
    lines = exported(
        service,
        database,
        filters,
        actor=caller,
        workspace=workspace,
        before=before,
        form=FORMATS[form],
    )
    # The first part is read before the response begins, so that errors become its status.
    first = await anext(lines)
    return StreamingResponse(
        _all(first, lines),
        media_type=FORMATS[form].media_type,
        headers={"content-disposition": f'attachment; filename="audit.{form}"'},
    )


async def _all(first: bytes, others: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for batch in others:
        yield batch
