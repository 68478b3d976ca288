"""The response to a change that needs approvals: the request that was created for it."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from promptops_platform.change_requests.proposals import Proposals
from promptops_platform.change_requests.schemas import EXAMPLE
from promptops_platform.definitions.approvals import ApprovalsNeeded
from promptops_platform.errors import PlatformError
from promptops_platform.http.error_answers import answer
from promptops_platform.http.services import services_of

PROPOSED_DESCRIPTION: dict[str, Any] = {
    "paths": {},
    "components": {
        "schemas": {
            "Proposed": {
                "type": "object",
                "title": "Proposed",
                "description": "A change that needs approvals was kept as a change request.",
                "properties": {
                    "change_request": {"$ref": "#/components/schemas/ChangeRequestDetail"}
                },
                "required": ["change_request"],
                "examples": [
                    {
                        "change_request": {
                            **EXAMPLE,
                            "before": {"version": "v1", "content": {}, "rollout": None},
                            "after": {"version": "v2", "content": {}, "rollout": None},
                            "diff": {"prompt": None, "definition": None},
                            "events": [],
                        }
                    }
                ],
            }
        }
    },
}


def install_proposals(app: FastAPI) -> None:
    """Respond with status 202 and a new request when the gate has refused a change because it needs
    approvals, if the route declares that. The route's own transaction is already rolled back."""

    @app.exception_handler(ApprovalsNeeded)
    async def propose(request: Request, error: ApprovalsNeeded) -> JSONResponse:
        if error.order is None:
            return answer(error)
        proposals = services_of(request).get(Proposals)
        try:
            detail = await proposals.propose(
                error.change, error.order, actor=request.scope["actor"]
            )
        except PlatformError as refusal:
            return answer(refusal)
        body = {"change_request": detail.model_dump(mode="json", by_alias=True)}
        return JSONResponse(body, status_code=202)
