"""The guard of the routes: each route names its required permission, or says `PUBLIC`."""

from typing import Any

from fastapi import Depends, Request

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.http.services import services_of


class Guard:
    """A dependency that admits only callers who have `permission` in some workspace, and returns
    the caller. The service checks the workspace of the request."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, request: Request) -> Actor:
        # The gate has set the caller. On a public path this fails, which is a bug of ours.
        actor: Actor = request.scope["actor"]
        grants = services_of(request).get(Grants)
        grants.require_somewhere(actor, self.permission)
        return actor


def permits(permission: Permission) -> Any:
    """`actor: Actor = permits(Permission.X)` on a route."""
    return Depends(Guard(permission))


def _public() -> None:
    """Marks a route that needs no token; a test finds routes without any marking."""


PUBLIC = Depends(_public)
