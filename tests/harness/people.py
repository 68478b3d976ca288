"""Users, API keys and workspaces for tests: created over the API, each with its own client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from harness.platform import RunningPlatform, new_key

PASSWORD = "a password for tests"


def sent(answer: httpx.Response) -> Any:
    """The data of a response that must be a 200."""
    assert answer.status_code == 200, answer.text
    return answer.json().get("data")


async def new_user(platform: RunningPlatform, role: str) -> dict[str, Any]:
    """An account with a unique name."""
    body = {"username": f"{role}-{new_key()}", "password": PASSWORD, "role": role}
    user: dict[str, Any] = sent(await platform.http.post("/api/users", json=body))
    return user


@asynccontextmanager
async def logged_in(
    platform: RunningPlatform, user: dict[str, Any]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a session of this user."""
    async with platform.client(await new_session(platform, user)) as client:
        yield client


async def new_session(platform: RunningPlatform, user: dict[str, Any]) -> str:
    """The token of a new session."""
    body = {"username": user["username"], "password": PASSWORD}
    answer = await platform.http.post("/api/login", json=body)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["token"]
    return token


async def new_api_key(platform: RunningPlatform, **fields: Any) -> str:
    """An API key's secret."""
    body = {"name": new_key(), "role": "viewer", **fields}
    key: str = sent(await platform.http.post("/api/keys", json=body))["key"]
    return key


async def new_workspace(
    platform: RunningPlatform, visibility: str = "open", **members: dict[str, Any]
) -> str:
    """The id of a workspace with these members: `editor=user` gives the user that role."""
    body = {"name": new_key(), "visibility": visibility}
    made = sent(await platform.http.post("/api/workspaces", json=body))
    for role, user in members.items():
        await join(platform, made["id"], user, role)
    workspace: str = made["id"]
    return workspace


async def join(platform: RunningPlatform, workspace: str, user: dict[str, Any], role: str) -> None:
    """Add a user to a workspace."""
    url = f"/api/workspaces/{workspace}/members/{user['id']}"
    sent(await platform.http.put(url, json={"role": role}))
