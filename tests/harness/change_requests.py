"""Workspaces whose environments require approvals, and their members."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from harness.changes.change_requests import ask_for_approvals
from harness.people import logged_in, new_user, new_workspace, sent
from harness.platform import RunningPlatform, new_key

GUARDED = "prod"


@dataclass
class Team:
    """A workspace where `prod` requires approvals. `ada` and `bob` are editors, `cy` is an admin;
    all of them have accounts."""

    platform: RunningPlatform
    workspace: str
    ada: httpx.AsyncClient
    bob: httpx.AsyncClient
    cy: httpx.AsyncClient

    async def guard(self, approvals: int = 1, **settings: Any) -> None:
        """Let `prod` require approvals."""
        await ask_for_approvals(self.platform, self.workspace, approvals=approvals, **settings)

    async def prompt(self, *contents: str, env: str = GUARDED) -> dict[str, Any]:
        """A prompt with these contents published as v1, v2, ...; call it before `guard`."""
        body = {"key": new_key(), "env": env, "content": contents[0], "workspace": self.workspace}
        made: dict[str, Any] = sent(await self.ada.post("/api/prompts", json=body))
        for content in contents:
            await self.edit(made, content)
            sent(await self.ada.post("/api/prompts/publish", json={"id": made["id"]}))
        return made

    async def edit(self, prompt: dict[str, Any], content: str) -> None:
        sent(await self.ada.put(f"/api/prompts/{prompt['id']}", json={"content": content}))

    async def served(self, prompt: dict[str, Any], env: str = GUARDED) -> str | None:
        """The content that programs fetch; None if there is none."""
        query = {"env": env, "workspace": self.workspace}
        answer = await self.platform.http.get(f"/api/sdk/prompts/{prompt['key']}", params=query)
        return None if answer.status_code == 404 else str(answer.json()["content"])


def proposed(answer: httpx.Response) -> dict[str, Any]:
    """The change request that a change has created."""
    assert answer.status_code == 202, answer.text
    request: dict[str, Any] = answer.json()["change_request"]
    return request


async def decide(
    client: httpx.AsyncClient, request: dict[str, Any], action: str, **body: Any
) -> httpx.Response:
    return await client.post(f"/api/change-requests/{request['id']}/{action}", json=body)


@asynccontextmanager
async def new_team(platform: RunningPlatform) -> AsyncIterator[Team]:
    people = {name: await new_user(platform, "viewer") for name in ("ada", "bob", "cy")}
    workspace = await new_workspace(platform, "restricted", editor=people["ada"])
    for name, role in (("bob", "editor"), ("cy", "admin")):
        url = f"/api/workspaces/{workspace}/members/{people[name]['id']}"
        sent(await platform.http.put(url, json={"role": role}))
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(logged_in(platform, user))
            for name, user in people.items()
        }
        yield Team(platform, workspace, **clients)
