"""The baseline of the fetch: an ordinary FastAPI route, served as the platform is."""

import hmac
import os
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

TOKEN = "bench-token"
PROMPTS: dict[tuple[str, str], dict[str, str]] = {}

app = FastAPI()


class ServedPrompt(BaseModel):
    """What a fetch answers."""

    key: str
    version: str
    env: str
    model: str
    content: str


async def authorized(authorization: Annotated[str, Header()] = "") -> None:
    """Let only the holder of the token through."""
    if not hmac.compare_digest(authorization, f"Bearer {TOKEN}"):
        raise HTTPException(401)


@app.get("/health")
async def health() -> dict[str, bool]:
    return {"ok": True}


@app.put("/api/sdk/prompts/{key}", dependencies=[Depends(authorized)])
async def put(key: str, prompt: ServedPrompt) -> None:
    PROMPTS[prompt.env, key] = prompt.model_dump()


@app.get("/api/sdk/prompts/{key}", response_model=ServedPrompt, dependencies=[Depends(authorized)])
async def fetch(key: str, env: str = "prod") -> dict[str, str]:
    row = PROMPTS.get((env, key))
    if row is None:
        raise HTTPException(404)
    return row


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_level="warning",
    )
