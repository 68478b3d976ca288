"""Whether the process is alive."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from promptops_platform.access.guard import PUBLIC
from promptops_platform.http.examples import example

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    model_config = example(ok=True)

    ok: Literal[True] = True


@router.get("/health", dependencies=[PUBLIC])
async def health() -> Alive:
    """Answers as long as the process serves requests."""
    return Alive()
