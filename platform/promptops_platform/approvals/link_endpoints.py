"""Routes of links that decide without an account."""

from typing import Annotated, Any

from fastapi import APIRouter, Request

from promptops_platform.access.actor import Actor
from promptops_platform.access.gate import client_address
from promptops_platform.access.guard import PUBLIC, permits
from promptops_platform.access.permissions import Permission
from promptops_platform.approvals.links import ApprovalLinks
from promptops_platform.approvals.schemas import ApprovalLink, DecideByLink, LinkedApproval
from promptops_platform.approvals.service import ApprovalService
from promptops_platform.errors import Conflict, TooManyRequests
from promptops_platform.field_types import ResourceId
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import Data
from promptops_platform.http.secret_paths import APPROVAL_LINKS
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Write

router = APIRouter(tags=["approvals"])

Links = Annotated[ApprovalLinks, provided(ApprovalLinks)]
Service = Annotated[ApprovalService, provided(ApprovalService)]
REFUSALS: dict[int | str, dict[str, Any]] = may_answer(Conflict, TooManyRequests)


@router.post("/api/approvals/{approval_id}/link", responses=may_answer(Conflict))
async def make_link(
    approval_id: ResourceId,
    links: Links,
    transaction: Write,
    actor: Actor = permits(Permission.RUNS_READ),
) -> Data[ApprovalLink]:
    """Create a link that decides once, without an account. It is valid until the deadline, at most
    7 days."""
    link = await links.make(transaction, approval_id, actor=actor)
    return Data(data=ApprovalLink(**link._asdict()))


@router.get(
    f"{APPROVAL_LINKS}/{{token}}",
    summary="Get Approval By Link",
    dependencies=[PUBLIC],
    responses=REFUSALS,
)
async def open_link(
    token: ResourceId, request: Request, links: Links, service: Service
) -> Data[LinkedApproval]:
    """Return what the link decides. This does not use the link up."""
    row, _ = await links.open(token, address=client_address(request.scope))
    return Data(data=service.linked(row))


@router.post(
    f"{APPROVAL_LINKS}/{{token}}",
    summary="Decide Approval By Link",
    dependencies=[PUBLIC],
    responses=REFUSALS,
)
async def decide_by_link(
    token: ResourceId, body: DecideByLink, request: Request, links: Links, service: Service
) -> Data[LinkedApproval]:
    """Approve or reject. The link stops working afterwards."""
    row = await links.decide(
        token,
        "approved" if body.decision == "approve" else "rejected",
        body.comment,
        body.values,
        address=client_address(request.scope),
        request_id=request.scope["request_id"],
    )
    return Data(data=service.linked(row))
