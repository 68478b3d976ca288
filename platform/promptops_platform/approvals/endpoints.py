"""Routes of approvals."""

from typing import Annotated

from fastapi import APIRouter, Query

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.approvals.deciding import ApprovalDecisions
from promptops_platform.approvals.repository import ApprovalFilter
from promptops_platform.approvals.schemas import Approval, Decide, State
from promptops_platform.approvals.service import ApprovalService
from promptops_platform.db.pages import Part
from promptops_platform.errors import Conflict
from promptops_platform.field_types import OptionalLine, ResourceId
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import Data, Page
from promptops_platform.http.paging import paged_by
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Read

router = APIRouter(prefix="/api/approvals", tags=["approvals"])

Service = Annotated[ApprovalService, provided(ApprovalService)]
Decisions = Annotated[ApprovalDecisions, provided(ApprovalDecisions)]


@router.get("")
async def list_approvals(
    service: Service,
    transaction: Read,
    part: Annotated[Part, paged_by("created_at", "deadline_at")],
    state: State | None = None,
    run: Annotated[OptionalLine, Query(description="Id of a run.")] = None,
    workflow: Annotated[OptionalLine, Query(description="Key of a workflow.")] = None,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.RUNS_READ),
) -> Page[Approval]:
    """List approvals, by default the newest first. Without `limit`, all are returned."""
    filters = ApprovalFilter(state=state, run_id=run, workflow=workflow)
    rows, total = await service.page(transaction, filters, part, workspace=workspace, actor=actor)
    return Page(data=[service.shown(row, actor=actor) for row in rows], total=total)


@router.get("/{approval_id}")
async def get_approval(
    approval_id: ResourceId,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.RUNS_READ),
) -> Data[Approval]:
    """Return what is to be decided and by whom, and the decision if there is one."""
    row = await service.get(transaction, approval_id, actor=actor)
    return Data(data=service.shown(row, actor=actor))


@router.post("/{approval_id}/approve", summary="Approve Step", responses=may_answer(Conflict))
async def approve(
    approval_id: ResourceId,
    service: Service,
    decisions: Decisions,
    body: Decide | None = None,
    actor: Actor = permits(Permission.RUNS_READ),
) -> Data[Approval]:
    """Approve. The run continues, and the step's output contains your comment and values.

    The response is a 409 if somebody has decided already or the run has ended.
    """
    asked = body or Decide()
    row = await decisions.decide(approval_id, "approved", asked.comment, asked.values, actor=actor)
    return Data(data=service.shown(row, actor=actor))


@router.post("/{approval_id}/reject", summary="Reject Step", responses=may_answer(Conflict))
async def reject(
    approval_id: ResourceId,
    service: Service,
    decisions: Decisions,
    body: Decide | None = None,
    actor: Actor = permits(Permission.RUNS_READ),
) -> Data[Approval]:
    """Reject. The run fails, or continues if the step has `continue_on_error`.

    The response is a 409 if somebody has decided already or the run has ended.
    """
    asked = body or Decide()
    row = await decisions.decide(approval_id, "rejected", asked.comment, asked.values, actor=actor)
    return Data(data=service.shown(row, actor=actor))
