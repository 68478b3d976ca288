"""The baseline of the gateway: a FastAPI route that calls a vendor with httpx and no more."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, Request

VENDOR = os.environ.get("BENCH_VENDOR", "")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with httpx.AsyncClient() as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, bool]:
    return {"ok": True}


@app.post("/ask")
async def ask(request: Request, body: dict[str, Any]) -> dict[str, str]:
    question = {
        "model": "bench-1",
        "messages": [{"role": "user", "content": body["content"]}],
    }
    answer = await request.app.state.client.post(f"{VENDOR}/v1/chat/completions", json=question)
    return {"output": answer.json()["choices"][0]["message"]["content"]}


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
