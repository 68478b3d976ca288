"""Responses of the routes for operators."""

from typing import Literal

from pydantic import BaseModel

from promptops_platform.http.examples import example


class Alive(BaseModel):
    model_config = example(ok=True)

    ok: Literal[True] = True


class Part(BaseModel):
    """A part that the platform depends on. `detail` is a sentence."""

    model_config = example(ok=True, detail="answers")

    ok: bool
    detail: str


class Parts(BaseModel):
    """Fetches and edits need `database` and `feed`, runs need `engine` and `prefect`, everything
    that is stored needs `disk`."""

    model_config = example(
        database={"ok": True, "detail": "answers"},
        feed={"ok": True, "detail": "follows the changes"},
        engine={"ok": True, "detail": "takes runs"},
        prefect={"ok": True, "detail": "answers the run engine"},
        disk={"ok": True, "detail": "has room"},
    )

    database: Part
    feed: Part
    engine: Part
    prefect: Part
    disk: Part


class Ready(BaseModel):
    """The requested parts are ready. `degraded` names those that are not."""

    model_config = example(
        ready=True,
        degraded=["prefect"],
        parts={
            "database": {"ok": True, "detail": "answers"},
            "feed": {"ok": True, "detail": "follows the changes"},
            "engine": {"ok": True, "detail": "answers"},
            "prefect": {
                "ok": False,
                "detail": "does not respond to the run engine; runs wait for it",
            },
            "disk": {"ok": True, "detail": "has room"},
        },
    )

    ready: Literal[True] = True
    degraded: list[str]
    parts: Parts
