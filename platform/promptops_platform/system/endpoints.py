"""Routes for administrators of the installation."""

from typing import Annotated

from fastapi import APIRouter

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.http.envelope import Data
from promptops_platform.http.services import provided
from promptops_platform.system.schemas import Examination, System
from promptops_platform.system.service import SystemService

router = APIRouter(prefix="/api/system", tags=["system"])


Service = Annotated[SystemService, provided(SystemService)]


@router.get("", summary="Get System State")
async def read_system(
    service: Service, _actor: Actor = permits(Permission.SYSTEM_READ)
) -> Data[System]:
    """Return the state of versions, database, change feed, replicas, run engine and Prefect, and
    the settings in effect without secrets."""
    return Data(data=await service.read())


@router.get("/findings", summary="Find Problems")
async def examine_system(
    service: Service, _actor: Actor = permits(Permission.SYSTEM_READ)
) -> Data[Examination]:
    """Return what `promptops doctor` finds and how to fix each problem. This takes a few seconds at
    most; the result is reused for five seconds."""
    return Data(data=await service.examine())
