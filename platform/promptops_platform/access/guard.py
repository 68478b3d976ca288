"""The guard of the routes: each names the permission that it needs, or says `PUBLIC`."""

from typing import Any

from fastapi import Depends, Request

from promptops_platform.access.authentication import require
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Actor


class Guard:
    """A dependency that lets only callers with `permission` through, and answers who calls."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, request: Request) -> Actor:
        # The gate has put the caller there; on a public path this fails, and is a fault of ours.
        actor: Actor = request.scope["actor"]
        require(actor, self.permission)
        return actor


def permits(permission: Permission) -> Any:
    """`actor: Actor = permits(Permission.X)` on a route."""
    return Depends(Guard(permission))


def _public() -> None:
    """Marks a route that needs no token; a test finds routes that say neither."""


PUBLIC = Depends(_public)
