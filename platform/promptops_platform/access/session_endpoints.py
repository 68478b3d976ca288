"""Routes of the web console's session, which is a cookie."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from promptops_platform.access.actor import Actor
from promptops_platform.access.authentication import Authenticator, bearer_token
from promptops_platform.access.endpoints import Access
from promptops_platform.access.gate import client_address
from promptops_platform.access.guard import PUBLIC
from promptops_platform.access.permissions import Role
from promptops_platform.access.schemas import ConsoleSession, LoginRequest
from promptops_platform.access.session_cookie import csrf_token, set_session
from promptops_platform.errors import TooManyRequests, Unauthorized
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import Data
from promptops_platform.settings import Settings

router = APIRouter(prefix="/api/session", tags=["access"])


@router.get("", dependencies=[PUBLIC])
async def get_session(request: Request) -> Data[ConsoleSession | None]:
    """Who the browser's cookie belongs to; null for nobody."""
    token = bearer_token(request.headers.get("authorization"))
    if token is None:
        return Data(data=None)
    authenticator: Authenticator = request.app.state.authenticator
    try:
        actor = await authenticator.authenticate(token, client_address(request.scope))
    except Unauthorized:
        return Data(data=None)
    return Data(data=await _session(request, actor, token))


@router.post(
    "",
    dependencies=[PUBLIC],
    responses=may_answer(Unauthorized, TooManyRequests),
    response_model=Data[ConsoleSession],
)
async def open_session(body: LoginRequest, service: Access, request: Request) -> JSONResponse:
    """Log a browser in: the session is put into a cookie that no script can read."""
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
    session: Data[ConsoleSession] = Data(data=await _session(request, actor, token))
    response = JSONResponse(session.model_dump(mode="json"), headers={"cache-control": "no-store"})
    settings: Settings = request.app.state.settings
    set_session(
        response,
        token,
        seconds=int(settings.session_hours * 3600),
        secure=request.url.scheme == "https",
    )
    return response


async def _session(request: Request, actor: Actor, token: str) -> ConsoleSession:
    return ConsoleSession(
        username=actor.name,
        role=actor.role,
        has_account=actor.user_id is not None,
        csrf_token=csrf_token(token),
        default_secrets=await _default_secrets(request) if actor.role is Role.ADMIN else [],
    )


async def _default_secrets(request: Request) -> list[str]:
    """Which of the secrets that everybody knows are in use; for admins, who can change them."""
    state = request.app.state
    async with state.database.read() as transaction:
        passwords = await state.access.default_passwords(transaction)
    return [
        name
        for name, is_used in (
            ("token", state.settings.uses_default_token),
            ("password", bool(passwords)),
        )
        if is_used
    ]
