"""A web service whose texts are prompts: a change is served within a second, without a restart."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import PlainTextResponse

from promptops import AsyncPromptOpsClient


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for the whole service."""
    async with AsyncPromptOpsClient(
        os.environ.get("PROMPTOPS_SERVER", "http://127.0.0.1:8080"),
        token=os.environ.get("PROMPTOPS_TOKEN", "promptops-dev-token"),
        namespace=os.environ.get("PROMPTOPS_NAMESPACE", "prod"),
        app_name="fastapi-app",
    ) as client:
        await client.watch()
        app.state.prompts = client
        yield


def prompts(request: Request) -> AsyncPromptOpsClient:
    """The client; tests replace it by a fake."""
    client: AsyncPromptOpsClient = request.app.state.prompts
    return client


app = FastAPI(lifespan=lifespan)


@app.get("/welcome/{name}", response_class=PlainTextResponse)
async def welcome(name: str, client: Annotated[AsyncPromptOpsClient, Depends(prompts)]) -> str:
    """Served from memory, even if the platform goes down later."""
    return await client.render("example-welcome", {"name": name}, default="Welcome.")
