"""Routes of the web console's session, which is a cookie."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from promptops_platform.access.authentication import bearer_token
from promptops_platform.access.console_sessions import ConsoleSessions
from promptops_platform.access.endpoints import Access
from promptops_platform.access.gate import client_address
from promptops_platform.access.guard import PUBLIC
from promptops_platform.access.schemas import ConsoleSession, LoginRequest, SessionState
from promptops_platform.access.session_cookie import set_session
from promptops_platform.errors import TooManyRequests, Unauthorized
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import Data
from promptops_platform.http.services import provided

router = APIRouter(prefix="/api/session", tags=["access"])

Sessions = Annotated[ConsoleSessions, provided(ConsoleSessions)]


@router.get("", dependencies=[PUBLIC])
async def get_session(request: Request, sessions: Sessions) -> SessionState:
    """Get the user that the browser's cookie belongs to, or null. The login page then knows whether
    to mention the account of a new installation."""
    token = bearer_token(request.headers.get("authorization"))
    return await sessions.state(token, client_address(request.scope))


@router.post(
    "",
    summary="Create Session",
    dependencies=[PUBLIC],
    responses=may_answer(Unauthorized, TooManyRequests),
    response_model=Data[ConsoleSession],
)
async def open_session(
    body: LoginRequest, service: Access, sessions: Sessions, request: Request
) -> JSONResponse:
    """Log in from a browser. The session is stored in a cookie that scripts can't read."""
    if body.token:
        token = body.token
        actor = await service.login_with_token(token, address=client_address(request.scope))
    else:
        actor, token = await service.login(
            body.username,
            body.password,
            address=client_address(request.scope),
            request_id=request.scope["request_id"],
            token=bearer_token(request.headers.get("authorization")),
        )
    session: Data[ConsoleSession] = Data(data=await sessions.session(actor, token))
    response = JSONResponse(session.model_dump(mode="json"), headers={"cache-control": "no-store"})
    set_session(
        response,
        token,
        seconds=int(sessions.lifetime.total_seconds()),
        secure=request.url.scheme == "https",
    )
    return response
