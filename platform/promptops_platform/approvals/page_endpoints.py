"""The page of a link that decides without an account. Opening it decides nothing, because mail
programs open links to scan them."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import HTMLResponse

from promptops_platform.access.gate import client_address
from promptops_platform.access.guard import PUBLIC
from promptops_platform.approvals.links import ApprovalLinks
from promptops_platform.approvals.pages import (
    HEADERS,
    decided_page,
    decision_page,
    refusal_page,
    sent_form,
)
from promptops_platform.approvals.schemas import DecideByLink, LinkedApproval
from promptops_platform.approvals.service import ApprovalService
from promptops_platform.errors import BadRequest, PlatformError
from promptops_platform.field_types import ResourceId
from promptops_platform.http.secret_paths import APPROVAL_PAGES
from promptops_platform.http.services import provided

router = APIRouter(include_in_schema=False)

Links = Annotated[ApprovalLinks, provided(ApprovalLinks)]
Service = Annotated[ApprovalService, provided(ApprovalService)]


@router.get(f"{APPROVAL_PAGES}/{{token}}", dependencies=[PUBLIC])
async def show_page(
    token: ResourceId, request: Request, links: Links, service: Service
) -> HTMLResponse:
    """Return the page of the link's approval, with a form."""
    try:
        row, _ = await links.open(token, address=client_address(request.scope))
    except PlatformError as error:
        return _refusal(error)
    return _html(decision_page(service.linked(row)))


@router.post(f"{APPROVAL_PAGES}/{{token}}", dependencies=[PUBLIC])
async def decide_by_page(
    token: ResourceId, request: Request, links: Links, service: Service
) -> HTMLResponse:
    """Approve or reject. The link stops working afterwards."""
    address = client_address(request.scope)
    try:
        row, _ = await links.open(token, address=address)
        approval = service.linked(row)
        body = sent_form(await request.body(), row.form)
        sent = DecideByLink.model_validate(body)
        row = await links.decide(
            token,
            "approved" if sent.decision == "approve" else "rejected",
            sent.comment,
            sent.values,
            address=address,
            request_id=request.scope["request_id"],
        )
    except ValidationError as error:
        return _html(decision_page(approval, _sentence(error)), 400)
    except BadRequest as error:
        return _html(decision_page(approval, error.sentence), error.status)
    except PlatformError as error:
        return _refusal(error)
    return _html(decided_page(LinkedApproval.of(row, message=None)))


def _refusal(error: PlatformError) -> HTMLResponse:
    return _html(refusal_page(error.sentence), error.status)


def _html(page: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(page, status, headers=HEADERS)


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
