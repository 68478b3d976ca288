"""Objects of each kind in two environments, and API keys that are limited to one of them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest_asyncio

from harness.approvals import new_approval, new_link
from harness.callers import new_api_key
from harness.changes.change_requests import ask_for_approvals
from harness.people import sent
from harness.platform import RunningPlatform, new_key

OPEN, SECRET = "dev", "prod"
# Part of the names and texts of everything in the other environment.
MARK = "classified"
CONVERSATION = "chat-1"
Things = dict[str, str]


@dataclass
class World:
    """One object of each kind in both environments: `things` are ids by the name of the path
    parameter. `client` sends the limited key, `other` another one with the same limits."""

    platform: RunningPlatform
    client: httpx.AsyncClient
    other: httpx.AsyncClient
    token: str
    things: dict[str, Things]
    runs: dict[str, list[str]] = field(default_factory=dict)

    def path(self, template: str, env: str) -> str:
        path = template.format(**self.things[env])
        return f"{path}?env={env}" if path.startswith("/api/sdk/") else path


async def ask(client: httpx.AsyncClient, **body: Any) -> str:
    """The id of a playground run."""
    answer = await client.post("/api/playground/run", json=body)
    assert answer.status_code == 200, answer.text
    run: str = answer.json()["run_id"]
    return run


async def made(platform: RunningPlatform, env: str) -> tuple[Things, list[str]]:
    """One object of each kind that refers to a prompt of the environment, and runs of all."""
    text = f"{MARK} {new_key()}" if env == SECRET else "Hello"
    key = f"{MARK}-{new_key()}" if env == SECRET else new_key()
    http, reference = platform.http, {"key": key, "env": env}
    prompt = await platform.create(key, env=env, content=text)
    await platform.publish(prompt["id"])
    rollout = {"enabled": True, "variant_a": "v1", "variant_b": "v1"}
    sent(await http.put(f"/api/prompts/{prompt['id']}/rollout", json=rollout))
    agent = sent(await http.post("/api/agents", json={"key": key, "prompt_ref": reference}))
    steps = [{"name": "s", "type": "render", "template": text, "prompt_ref": reference}]
    workflow = sent(await http.post("/api/workflows", json={"key": key, "steps": steps}))
    for path in (f"agents/{agent['id']}", f"workflows/{workflow['id']}"):
        sent(await http.post(f"/api/{path}/publish", json={"env": env}))
    runs = [await ask(http, id=prompt["id"])]
    body = {"input": "Hi", "conversation_id": CONVERSATION}
    for path, sending in ((f"agents/{agent['id']}", body), (f"workflows/{workflow['id']}", {})):
        answer = await http.post(f"/api/{path}/run", json=sending)
        assert answer.status_code == 200, answer.text
        runs.append(answer.json()["run_id"])
    await ask_for_approvals(platform, "default", env)
    order = {"id": prompt["id"], "version": "v1"}
    proposed = await http.post("/api/prompts/rollback", json=order)
    assert proposed.status_code == 202, proposed.text
    await ask_for_approvals(platform, "default", env, approvals=0)
    approval_id = await new_approval(
        platform, key=key, scope=f"env:{env}", message=text, allow_link=True
    )
    daily = {"key": key, "workflow": key, "env": env, "cron": "0 3 * * *"}
    schedule = sent(await http.post("/api/schedules", json=daily))
    things = {
        "schedule_id": schedule["id"],
        "request_id": proposed.json()["change_request"]["id"],
        "prompt_id": prompt["id"],
        "key": key,
        "agent_id": agent["id"],
        "workflow_id": workflow["id"],
        "run_id": runs[0],
        "conversation_id": CONVERSATION,
        "approval_id": approval_id,
        "token": await new_link(platform, approval_id),
        "version": "1",
        "workspace_id": "default",
        "trigger_id": "of no environment",
    }
    return things, runs


@pytest_asyncio.fixture(scope="module")
async def world(running: RunningPlatform) -> AsyncIterator[World]:
    limits = {"role": "admin", "environments": [OPEN]}
    keys = [await new_api_key(running, **limits) for _ in range(2)]
    made_by_env = {env: await made(running, env) for env in (OPEN, SECRET)}
    things = {env: made_by_env[env][0] for env in made_by_env}
    for env_things in things.values():
        connection = {"name": new_key(), "kind": "mock"}
        saved = sent(await running.http.post("/api/providers", json=connection))
        env_things["connection_id"] = saved["id"]
    runs = {env: made_by_env[env][1] for env in made_by_env}
    runs[SECRET].append(await ask(running.http, content=f"{MARK} of nowhere"))
    async with running.client(keys[0]["key"]) as client, running.client(keys[1]["key"]) as other:
        for http in (client, other):
            http.timeout = httpx.Timeout(60)
        yield World(running, client, other, keys[0]["key"], things, runs)
