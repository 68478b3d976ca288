"""Routes of the live connections."""

from fastapi import APIRouter, Request

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.http.envelope import Data
from promptops_platform.http.services import services_of
from promptops_platform.realtime.live_clients import LiveClients
from promptops_platform.realtime.schemas import LiveClient

router = APIRouter(prefix="/api", tags=["realtime"])


@router.get("/clients")
async def list_clients(
    request: Request, actor: Actor = permits(Permission.CLIENTS_READ)
) -> Data[list[LiveClient]]:
    """List the live hot-reload connections of all replicas, newest first."""
    clients = services_of(request).get(LiveClients)
    return Data(data=await clients.listed(actor))
