"""The guard of the routes: each names the permission that it needs, or says `PUBLIC`."""

from typing import Any

from fastapi import Depends, Request

from promptops_platform.access.authentication import Authenticator, bearer_token
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Actor


class Guard:
    """A dependency that lets only callers with `permission` through, and answers who calls."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, request: Request) -> Actor:
        authenticator: Authenticator = request.app.state.authenticator
        token = bearer_token(request.headers.get("authorization"))
        return authenticator.authorize(token, self.permission)


def permits(permission: Permission) -> Any:
    """`actor: Actor = permits(Permission.X)` on a route."""
    return Depends(Guard(permission))


def _public() -> None:
    """Marks a route that needs no token; a test finds routes that say neither."""


PUBLIC = Depends(_public)
