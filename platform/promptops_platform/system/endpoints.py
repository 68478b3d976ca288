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


@router.get("")
async def read_system(
    service: Service, _actor: Actor = permits(Permission.SYSTEM_READ)
) -> Data[System]:
    """Versions, database, change feed, replicas, run engine and Prefect, and the settings in force
    without their secrets."""
    return Data(data=await service.read())


@router.get("/findings")
async def examine_system(
    service: Service, _actor: Actor = permits(Permission.SYSTEM_READ)
) -> Data[Examination]:
    """What `promptops doctor` finds, and how to fix each problem. Takes some seconds at most; an
    answer is good for five."""
    return Data(data=await service.examine())
