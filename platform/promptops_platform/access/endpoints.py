"""Routes of login, logout, your own account, users and API keys."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

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
    EndedSessions,
    LoginAnswer,
    LoginRequest,
    Me,
    NewApiKey,
    OptionalAccountRole,
    PasswordChange,
    User,
    UserCreate,
    UserUpdate,
)
from promptops_platform.access.service import AccessService
from promptops_platform.access.session_cookie import COOKIE, forget_session
from promptops_platform.access.users import UserService
from promptops_platform.db.pages import Part
from promptops_platform.errors import TooManyRequests, Unauthorized
from promptops_platform.field_types import OptionalLine, OptionalSearchTerm, ResourceId
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import Data, Page
from promptops_platform.http.paging import paged_by
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Read, Write

router = APIRouter(prefix="/api", tags=["access"])


Access = Annotated[AccessService, provided(AccessService)]
Users = Annotated[UserService, provided(UserService)]
Keys = Annotated[KeyService, provided(KeyService)]


@router.post("/login", dependencies=[PUBLIC], responses=may_answer(Unauthorized, TooManyRequests))
async def login(body: LoginRequest, service: Access, request: Request) -> LoginAnswer:
    """Log in with a user name and password, or with a token, and start a session."""
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
    """Log out: end the session whose token or cookie is sent."""
    await service.logout(transaction, actor)
    if COOKIE in request.cookies:
        forget_session(response)
    return Done()


@router.get("/me", summary="Get Current User")
async def me(actor: Actor = permits(Permission.OWN_ACCOUNT)) -> Me:
    """Get the user that the token belongs to."""
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
    """Change your own password. All your sessions end, including this one."""
    await service.change_password(actor, body.current_password, body.new_password)
    return Done()


@router.delete("/me/sessions")
async def end_own_sessions(
    service: Access,
    transaction: Write,
    request: Request,
    response: Response,
    keep_current: Annotated[
        bool, Query(description="Keep the session whose token or cookie is sent.")
    ] = False,
    actor: Actor = permits(Permission.OWN_ACCOUNT),
) -> Data[EndedSessions]:
    """Sign out everywhere: end all sessions of your account and close their connections. API keys
    remain valid."""
    ended = await service.end_sessions(transaction, actor, keep_current=keep_current)
    if COOKIE in request.cookies and not keep_current:
        forget_session(response)
    return Data(data=EndedSessions(ended=ended))


@router.get("/users", dependencies=[permits(Permission.USERS_READ)])
async def list_users(
    service: Users,
    transaction: Read,
    part: Annotated[Part, paged_by("username", "role", "created_at")],
    q: Annotated[OptionalSearchTerm, Query(description="Text that the name contains.")] = None,
    role: Annotated[OptionalAccountRole, Query()] = None,
) -> Page[User]:
    """List accounts, by default sorted by name. Without `limit`, all are returned."""
    rows, total = await service.search(transaction, q, role, part)
    return Page(data=[User.of(row) for row in rows], total=total)


@router.post("/users")
async def create_user(
    body: UserCreate,
    service: Users,
    transaction: Write,
    actor: Actor = permits(Permission.USERS_WRITE),
) -> Data[User]:
    """Create an account."""
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
    """Change the password of an account, which ends its sessions, or its role."""
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
    """Delete an account. Its sessions end, and the API keys that it made are revoked."""
    await service.delete(transaction, user_id, actor=actor)
    return Done()


@router.get("/keys", summary="List API Keys")
async def list_api_keys(
    service: Keys,
    transaction: Read,
    part: Annotated[Part, paged_by("name", "created_at", "expires_at", "last_used_at")],
    workspace: Annotated[OptionalLine, Query(description="A workspace's id or slug.")] = None,
    prefix: Annotated[OptionalLine, Query(description="The beginning of the key.")] = None,
    q: Annotated[OptionalSearchTerm, Query(description="Text that the name contains.")] = None,
    maker: Annotated[
        OptionalLine, Query(description="The id of a user or key: only the keys that it made.")
    ] = None,
    actor: Actor = permits(Permission.KEYS_READ),
) -> Page[ApiKey]:
    """List the API keys that you may manage, by default the newest first. Without `limit`, all are
    returned."""
    keys, total = await service.search(
        transaction, actor=actor, workspace=workspace, prefix=prefix, text=q, maker=maker, part=part
    )
    return Page(data=[ApiKey.stored(key) for key in keys], total=total)


@router.post("/keys", summary="Create API Key")
async def create_api_key(
    body: ApiKeyCreate,
    service: Keys,
    transaction: Write,
    actor: Actor = permits(Permission.KEYS_WRITE),
) -> Data[NewApiKey]:
    """Create an API key. It is shown in this response only."""
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


@router.delete("/keys/{key_id}", summary="Revoke API Key")
async def revoke_api_key(
    key_id: ResourceId,
    service: Keys,
    transaction: Write,
    actor: Actor = permits(Permission.KEYS_WRITE),
) -> Done:
    """Revoke an API key and the keys that it made. Within a second they are refused and their
    connections are closed."""
    await service.revoke(transaction, key_id, actor=actor)
    return Done()


@router.post("/keys/{key_id}/adopt", summary="Adopt API Key")
async def adopt_api_key(
    key_id: ResourceId,
    service: Keys,
    transaction: Write,
    actor: Actor = permits(Permission.KEYS_WRITE),
) -> Data[ApiKey]:
    """Become the maker of an API key, so that it remains when the account that made it is
    deleted."""
    return Data(data=ApiKey.stored(await service.adopt(transaction, key_id, actor=actor)))
