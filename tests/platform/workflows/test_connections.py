"""Workflows whose steps name a stored connection as their provider."""

import shutil
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio

from harness.connections import SECRET, URL, new_connection
from harness.engine import EngineProcess, use_engine
from harness.people import logged_in, new_user, new_workspace, sent
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_key,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from harness.trail import stored_text
from harness.vendors import Answer, fake_vendor
from promptops_platform.access.actor import SYSTEM
from promptops_platform.db.pages import WHOLE

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "served-model",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": f"{SECRET} is what I got"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
}


@pytest_asyncio.fixture(scope="module")
async def running(
    database_kind: DatabaseKind, postgres: Postgres, engine: EngineProcess
) -> AsyncIterator[RunningPlatform]:
    """A platform whose engine is the session's."""
    data = new_data_folder()
    settings = await new_settings(database_kind, postgres, data, engine_wait_seconds=30)
    async with running_platform(settings) as platform:
        use_engine(platform, engine)
        yield platform
    shutil.rmtree(data)


def step(provider: str, *fallbacks: str, **fields: Any) -> dict[str, Any]:
    others = [{"provider": name} for name in fallbacks]
    return {"name": "call", "type": "model", "provider": provider, "fallbacks": others, **fields}


async def save(
    platform: RunningPlatform, *steps: dict[str, Any], workspace: str = "default"
) -> httpx.Response:
    body = {"key": new_key(), "steps": steps, "workspace": workspace}
    return await platform.http.post("/api/workflows", json=body)


async def run(platform: RunningPlatform, *steps: dict[str, Any], **body: Any) -> httpx.Response:
    workflow = sent(await save(platform, *steps))["id"]
    return await platform.http.post(f"/api/workflows/{workflow}/run", json=body or None)


async def test_a_definition_names_connections_of_its_workspace_only(
    platform: RunningPlatform,
) -> None:
    here, elsewhere = await new_workspace(platform), await new_workspace(platform)
    name = (await new_connection(platform, workspace=here))["name"]
    saved = sent(await save(platform, step(name, "mock", name), workspace=here))
    assert saved["steps"] == [step(name, "mock", name)]
    for wrong in (step(name), step("mock", name)):
        refused = await save(platform, wrong, workspace=elsewhere)
        assert refused.status_code == 400
        assert f"provider '{name}' is unknown" in refused.json()["error"]
        assert "use one of mock, openai, claude" in refused.json()["error"]
    changed = await platform.http.put(f"/api/workflows/{saved['id']}", json={"steps": [step("x")]})
    assert changed.status_code == 400
    assert changed.json()["error"].endswith(f", {name}")


async def test_a_workflow_whose_connection_is_gone_is_edited_but_not_run(
    platform: RunningPlatform,
) -> None:
    made = await new_connection(platform)
    workflow = sent(await save(platform, step(made["name"])))
    sent(await platform.http.delete(f"{URL}/{made['id']}"))
    url = f"/api/workflows/{workflow['id']}"
    # Its steps stay, also where a console sends them along.
    for body in ({"name": "Renamed"}, {"name": "Again", "steps": workflow["steps"]}):
        assert sent(await platform.http.put(url, json=body))["version"] == 1
    refused = await platform.http.post(f"{url}/run")
    assert refused.status_code == 400
    assert refused.json()["error"].startswith("step 1 (call): provider '")


async def test_a_run_uses_the_stored_key_and_shows_it_nowhere(
    running: RunningPlatform, engine: EngineProcess
) -> None:
    viewer = await new_user(running, "viewer")
    async with fake_vendor(Answer.of_json(CHAT)) as vendor, logged_in(running, viewer) as client:
        made = await new_connection(
            running, kind="openai-compatible", base_url=vendor.url, model="wanted-model"
        )
        workflow = sent(await save(running, step(made["name"])))["id"]
        answer = await client.post(
            f"/api/workflows/{workflow}/run", json={"variables": {"a": SECRET}}, timeout=30
        )
        assert answer.status_code == 200, answer.text
        run_id = answer.json()["run_id"]
        logged = await client.get(f"/api/runs/{run_id}")
    assert vendor.seen.headers["authorization"] == f"Bearer {SECRET}"
    assert vendor.seen.json["model"] == "wanted-model"
    assert answer.json()["output"] == "[redacted] is what I got"
    detail = logged.json()["data"]
    assert (detail["provider"], detail["model"]) == (made["name"], "served-model")
    for shown in (answer.text, logged.text, await stored_text(running)):
        assert SECRET not in shown
    assert SECRET.encode() not in engine.log.read_bytes()


async def test_a_callers_address_does_not_get_the_stored_key(running: RunningPlatform) -> None:
    async with fake_vendor(Answer.of_json(CHAT)) as own, fake_vendor() as stored:
        made = await new_connection(running, kind="openai-compatible", base_url=stored.url)
        asked = step(made["name"], model="m")
        assert (await run(running, asked, base_url=own.url)).status_code == 200
        assert "authorization" not in own.seen.headers
        assert (await run(running, asked, base_url=own.url, api_key="sk-mine")).status_code == 200
        assert own.seen.headers["authorization"] == "Bearer sk-mine"
        assert not stored.requests


async def test_an_address_that_is_not_allowed_is_refused_before_the_run(
    platform: RunningPlatform,
) -> None:
    refused = await run(platform, step("openai"), base_url="https://evil.example")
    assert refused.status_code == 400
    assert refused.json()["error"].startswith("base_url: host evil.example is not allowed")


async def test_a_fallback_answers_where_the_first_one_fails(running: RunningPlatform) -> None:
    busy = (await new_connection(running, model="mock-fail-overloaded"))["name"]
    spare = (await new_connection(running))["name"]
    hello = {"type": "render", "template": "Hello"}
    answer = await run(running, hello, step(busy, spare))
    assert answer.json()["output"] == "[mock completion] Hello"
    detail = await running.http.get(f"/api/runs/{answer.json()['run_id']}")
    assert detail.json()["data"]["steps"][1]["provider"] == spare
    failed = await run(running, hello, step(busy))
    assert failed.status_code == 502
    assert failed.json()["error"].startswith("step 2 (call): provider ")


async def test_a_key_that_cant_be_read_stops_the_run_before_it_starts(
    running: RunningPlatform,
) -> None:
    first, second = await new_connection(running), await new_connection(running)
    async with running.platform.database.write() as transaction:
        rows, _ = await running.platform.providers.service.search(
            transaction, "default", None, WHOLE, actor=SYSTEM
        )
        sealed = {row.id: row for row in rows}
        sealed[first["id"]].sealed_key = sealed[second["id"]].sealed_key
    await running.platform.providers.mirror.load()
    refused = await run(running, step(first["name"]))
    assert refused.status_code == 503
    assert refused.json()["code"] == "secret_unreadable"


async def test_a_step_by_a_connection_costs_what_its_kind_costs(running: RunningPlatform) -> None:
    """Also where it is a fallback, and where it failed."""
    fails = await new_connection(running, model="mock-fail-overloaded")
    answers = await new_connection(running)
    done = await run(running, step(fails["name"], answers["name"]))
    failed = await run(running, step(answers["name"], model="mock-fail-refused"))
    assert (done.status_code, failed.status_code) == (200, 502)
    for answer in (done, failed):
        shown = sent(await running.http.get(f"/api/runs/{answer.json()['run_id']}"))
        assert (shown["provider"], shown["cost_usd"]) == (answers["name"], 0)
