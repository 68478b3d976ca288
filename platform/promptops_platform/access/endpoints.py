"""Routes of login, logout and the own account."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from promptops_platform.access.guard import PUBLIC, permits
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Actor, Done, LoginAnswer, LoginRequest, Me
from promptops_platform.access.service import AccessService
from promptops_platform.errors import TooManyRequests, Unauthorized
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.transactions import Write

router = APIRouter(prefix="/api", tags=["access"])


def _service(request: Request) -> AccessService:
    service: AccessService = request.app.state.access
    return service


Service = Annotated[AccessService, Depends(_service)]


@router.post("/login", dependencies=[PUBLIC], responses=may_answer(Unauthorized, TooManyRequests))
async def login(body: LoginRequest, service: Service) -> LoginAnswer:
    """Trade a user name and password, or a token, for a session."""
    if body.token:
        actor = await service.login_with_token(body.token)
        return LoginAnswer(token=body.token, role=actor.role, username=actor.username)
    actor, token = await service.login(body.username, body.password)
    return LoginAnswer(token=token, role=actor.role, username=actor.username)


@router.post("/logout")
async def logout(
    service: Service, transaction: Write, actor: Actor = permits(Permission.OWN_ACCOUNT)
) -> Done:
    """End the session whose token was sent."""
    await service.logout(transaction, actor)
    return Done()


@router.get("/me")
async def me(actor: Actor = permits(Permission.OWN_ACCOUNT)) -> Me:
    """Who the token belongs to."""
    return Me(username=actor.username, role=actor.role)
