"""Routes of login, logout, the own account, users and API keys."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from promptops_platform.access.actor import Actor
from promptops_platform.access.authentication import bearer_token
from promptops_platform.access.gate import client_address
from promptops_platform.access.guard import PUBLIC, permits
from promptops_platform.access.keys import KeyService
from promptops_platform.access.permissions import Permission, Role
from promptops_platform.access.schemas import (
    ApiKey,
    ApiKeyCreate,
    Done,
    LoginAnswer,
    LoginRequest,
    Me,
    NewApiKey,
    PasswordChange,
    User,
    UserCreate,
    UserUpdate,
)
from promptops_platform.access.service import AccessService
from promptops_platform.access.session_cookie import COOKIE, forget_session
from promptops_platform.access.users import UserService
from promptops_platform.errors import TooManyRequests, Unauthorized
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import Data
from promptops_platform.http.transactions import Read, Write
from promptops_platform.text import OptionalLine, OptionalSearchTerm, ResourceId

router = APIRouter(prefix="/api", tags=["access"])


def _access(request: Request) -> AccessService:
    service: AccessService = request.app.state.access
    return service


def _users(request: Request) -> UserService:
    service: UserService = request.app.state.users
    return service


def _keys(request: Request) -> KeyService:
    service: KeyService = request.app.state.keys
    return service


Access = Annotated[AccessService, Depends(_access)]
Users = Annotated[UserService, Depends(_users)]
Keys = Annotated[KeyService, Depends(_keys)]


@router.post("/login", dependencies=[PUBLIC], responses=may_answer(Unauthorized, TooManyRequests))
async def login(body: LoginRequest, service: Access, request: Request) -> LoginAnswer:
    """Trade a user name and password, or a token, for a session."""
    address = client_address(request.scope)
    if body.token:
        actor = await service.login_with_token(body.token, address=address)
        return LoginAnswer(token=body.token, role=actor.role, username=actor.name)
    actor, token = await service.login(
        body.username,
        body.password,
        address=address,
        request_id=request.scope["request_id"],
        token=bearer_token(request.headers.get("authorization")),
    )
    return LoginAnswer(token=token, role=actor.role, username=actor.name)


@router.post("/logout")
async def logout(
    service: Access,
    transaction: Write,
    request: Request,
    response: Response,
    actor: Actor = permits(Permission.OWN_ACCOUNT),
) -> Done:
    """End the session whose token or cookie was sent."""
    await service.logout(transaction, actor)
    if COOKIE in request.cookies:
        forget_session(response)
    return Done()


@router.get("/me")
async def me(actor: Actor = permits(Permission.OWN_ACCOUNT)) -> Me:
    """Who the token belongs to."""
    return Me(
        username=actor.name,
        role=actor.role,
        workspace_id=actor.workspace_id,
        environments=sorted(actor.environments),
    )


@router.put("/me/password")
async def change_own_password(
    body: PasswordChange, service: Access, actor: Actor = permits(Permission.OWN_ACCOUNT)
) -> Done:
    """Change the own password. All of the user's sessions end, this one included."""
    await service.change_password(actor, body.current_password, body.new_password)
    return Done()


@router.get("/users", dependencies=[permits(Permission.USERS_READ)])
async def list_users(service: Users, transaction: Read) -> Data[list[User]]:
    """All accounts, by name."""
    return Data(data=[User.of(row) for row in await service.every(transaction)])


@router.post("/users")
async def create_user(
    body: UserCreate,
    service: Users,
    transaction: Write,
    actor: Actor = permits(Permission.USERS_WRITE),
) -> Data[User]:
    """Make an account."""
    row = await service.create(
        transaction,
        actor=actor,
        username=body.username,
        password=body.password,
        role=body.role or Role.VIEWER,
    )
    return Data(data=User.of(row))


@router.put("/users/{user_id}")
async def update_user(
    user_id: ResourceId,
    body: UserUpdate,
    service: Users,
    transaction: Write,
    actor: Actor = permits(Permission.USERS_WRITE),
) -> Data[User]:
    """Give an account another password, which ends its sessions, or another role."""
    row = await service.update(
        transaction, user_id, actor=actor, password=body.password, role=body.role
    )
    return Data(data=User.of(row))


@router.delete("/users/{user_id}")
async def delete_user(
    user_id: ResourceId,
    service: Users,
    transaction: Write,
    actor: Actor = permits(Permission.USERS_WRITE),
) -> Done:
    """Delete an account; its sessions end, and the API keys that it made."""
    await service.delete(transaction, user_id, actor=actor)
    return Done()


@router.get("/keys")
async def list_api_keys(
    service: Keys,
    transaction: Read,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    prefix: Annotated[OptionalLine, Query(description="How the key begins.")] = None,
    q: Annotated[OptionalSearchTerm, Query(description="Text in the name.")] = None,
    maker: Annotated[
        OptionalLine, Query(description="Id of a user or key: those that it made.")
    ] = None,
    actor: Actor = permits(Permission.KEYS_READ),
) -> Data[list[ApiKey]]:
    """The API keys that the caller may manage, newest first."""
    keys = await service.search(
        transaction, actor=actor, workspace=workspace, prefix=prefix, text=q, maker=maker
    )
    return Data(data=[ApiKey.stored(key) for key in keys])


@router.post("/keys")
async def create_api_key(
    body: ApiKeyCreate,
    service: Keys,
    transaction: Write,
    actor: Actor = permits(Permission.KEYS_WRITE),
) -> Data[NewApiKey]:
    """Make an API key. The answer shows it, this once."""
    row, key = await service.create(
        transaction,
        actor=actor,
        name=body.name,
        role=body.role,
        workspace=body.workspace,
        environments=body.environments,
        expires_at=body.expires_at,
        manage_accounts=body.manage_accounts,
    )
    return Data(data=NewApiKey.made(row, key))


@router.delete("/keys/{key_id}")
async def revoke_api_key(
    key_id: ResourceId,
    service: Keys,
    transaction: Write,
    actor: Actor = permits(Permission.KEYS_WRITE),
) -> Done:
    """Revoke an API key and those that it made: they are refused, and their connections end, within
    a second."""
    await service.revoke(transaction, key_id, actor=actor)
    return Done()


@router.post("/keys/{key_id}/adopt")
async def adopt_api_key(
    key_id: ResourceId,
    service: Keys,
    transaction: Write,
    actor: Actor = permits(Permission.KEYS_WRITE),
) -> Data[ApiKey]:
    """Become the maker of an API key, so that it stays when the account that made it is deleted."""
    return Data(data=ApiKey.stored(await service.adopt(transaction, key_id, actor=actor)))
