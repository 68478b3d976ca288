"""The guard of the routes: each names the permission that it needs, or says `PUBLIC`."""

from typing import Any

from fastapi import Depends, Request

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission


class Guard:
    """A dependency that lets only callers through who have `permission` somewhere, and answers who
    calls; whether they have it in the workspace at hand is for the service to ask."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, request: Request) -> Actor:
        # The gate has put the caller there; on a public path this fails, and is a fault of ours.
        actor: Actor = request.scope["actor"]
        grants: Grants = request.app.state.grants
        grants.require_somewhere(actor, self.permission)
        return actor


def permits(permission: Permission) -> Any:
    """`actor: Actor = permits(Permission.X)` on a route."""
    return Depends(Guard(permission))


def _public() -> None:
    """Marks a route that needs no token; a test finds routes that say neither."""


PUBLIC = Depends(_public)
