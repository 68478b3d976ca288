"""Deleting a workspace: what holds it back, what goes with it, and what races with it."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from websockets.exceptions import ConnectionClosed

from harness.changes.agents import remember
from harness.people import (
    logged_in,
    new_api_key,
    new_user,
    new_workspace,
    sent,
)
from harness.platform import (
    WAIT_SECONDS,
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    next_event,
    running_platform,
)
from harness.postgres import Postgres
from promptops_flows.protocol.engine_client import RunFinished, StepFinished
from promptops_platform.db.tables import Table
from promptops_platform.runlog.new_run import NewRun

# What tells of a workspace when it is gone: the audit trail, its counters and the change feed.
KEPT = {"audit_entries", "changes"}
STEP = StepFinished(
    index=1,
    name="call",
    type="render",
    output="x",
    state="Completed",
    started_at="2030-01-01T00:00:00+00:00",
    duration_ms=1,
    attempts=1,
)

CONNECTION = {"name": "team", "kind": "mock", "api_key": "sk-of-a-connection"}


def new_run(workspace: str) -> NewRun:
    return NewRun(
        id=new_key()[:36],
        workspace_id=workspace,
        source="workflow",
        ref_key="x",
        flow_run_id="f",
        flow_run_url=None,
    )


async def open_run(platform: RunningPlatform, workspace: str) -> str:
    """A run under way."""
    run = new_run(workspace)
    async with platform.platform.database.write() as transaction:
        await platform.platform.runlog.log.open(transaction, run)
    return run.id


async def close_run(platform: RunningPlatform, run: str) -> None:
    async with platform.platform.database.write() as transaction:
        await platform.platform.runlog.log.add_step(transaction, run, STEP)
        await platform.platform.runlog.log.close(
            transaction, run, RunFinished(status="ok", output="x")
        )


async def new_workflow(platform: RunningPlatform, workspace: str) -> dict[str, Any]:
    body = {"key": new_key(), "steps": [], "workspace": workspace}
    workflow: dict[str, Any] = sent(await platform.http.post("/api/workflows", json=body))
    return workflow


async def new_agent(platform: RunningPlatform, workspace: str) -> dict[str, Any]:
    """One that remembers something, in its workspace."""
    body = {"key": new_key(), "prompt": "Hello", "workspace": workspace}
    agent: dict[str, Any] = sent(await platform.http.post("/api/agents", json=body))
    await remember(platform, agent["id"], "chat-1")
    return agent


async def delete(platform: RunningPlatform, workspace: str, force: bool = False) -> httpx.Response:
    query = {"force": "true"} if force else {}
    return await platform.http.delete(f"/api/workspaces/{workspace}", params=query)


async def left_behind(platform: RunningPlatform, workspace: str) -> dict[str, int]:
    """Rows by table that still name the workspace."""
    rows_left = {}
    async with platform.platform.database.read() as transaction:
        for table in Table.metadata.sorted_tables:
            if "workspace_id" not in table.columns:
                continue
            query = select(func.count()).where(table.columns.workspace_id == workspace)
            if number := await transaction.session.scalar(query.select_from(table)):
                rows_left[table.name] = number
    return rows_left


async def test_an_empty_workspace_goes(platform: RunningPlatform) -> None:
    user = await new_user(platform, "viewer")
    workspace = await new_workspace(platform, "restricted", viewer=user)
    answer = await delete(platform, workspace)
    assert answer.text == '{"ok":true}'
    assert (await platform.http.get(f"/api/workspaces/{workspace}")).status_code == 404
    assert (await delete(platform, workspace)).status_code == 404
    assert (await left_behind(platform, workspace)).keys() == KEPT


async def test_one_that_holds_something_stays_and_says_what(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform)
    await platform.create(workspace=workspace)
    await platform.create(workspace=workspace)
    await new_workflow(platform, workspace)
    await new_agent(platform, workspace)
    await new_api_key(platform, workspace=workspace)
    await open_run(platform, workspace)
    refused = await delete(platform, workspace)
    assert refused.status_code == 409
    assert "2 prompts, 1 workflow, 1 agent and 1 API key" in refused.json()["error"]
    for route in ("prompts", "workflows", "agents", "keys"):
        assert f"DELETE /api/{route}/:id" in refused.json()["error"]
    assert refused.json()["removed_by"]["prompt"] == "DELETE /api/prompts/:id"
    held = {"prompt": 2, "workflow": 1, "agent": 1, "API key": 1}
    assert refused.json()["holds"] == held
    assert (await platform.http.get(f"/api/workspaces/{workspace}")).status_code == 200


async def test_runs_keep_no_workspace(platform: RunningPlatform) -> None:
    """Single runs can't be deleted: a workspace that was used once would stay for good."""
    workspace = await new_workspace(platform)
    await close_run(platform, await open_run(platform, workspace))
    under_way = await open_run(platform, workspace)
    answer = await delete(platform, workspace)
    assert answer.status_code == 200, answer.text
    assert (await left_behind(platform, workspace)).keys() == KEPT
    await close_run(platform, under_way)
    entry = (await platform.http.get("/api/audit?limit=1")).json()["data"][0]
    assert entry["before"]["held"] == {"run": 2}


async def test_by_force_everything_in_it_goes(platform: RunningPlatform) -> None:
    user = await new_user(platform, "viewer")
    workspace = await new_workspace(platform, "restricted", editor=user)
    prompt = await platform.create(env="prod", workspace=workspace)
    await platform.publish(prompt["id"])
    workflow = await new_workflow(platform, workspace)
    agent = await new_agent(platform, workspace)
    run = await open_run(platform, workspace)
    await close_run(platform, run)
    key = await new_api_key(platform, workspace=workspace)
    assert (await delete(platform, workspace, force=True)).status_code == 200
    assert (await left_behind(platform, workspace)).keys() == KEPT
    urls = f"prompts/{prompt['id']}", f"workflows/{workflow['id']}", f"agents/{agent['id']}"
    for url in (*urls, f"runs/{run}"):
        assert (await platform.http.get(f"/api/{url}")).status_code == 404
    assert (await platform.fetch(prompt["key"])).status_code == 404
    async with platform.client(key) as client:
        assert (await client.get("/api/prompts")).status_code == 401
    entry = (await platform.http.get("/api/audit?limit=1")).json()["data"][0]
    assert (entry["action"], entry["resource_id"]) == ("delete", workspace)
    assert entry["before"]["visibility"] == "restricted"
    held = {"prompt": 1, "workflow": 1, "agent": 1, "run": 1, "API key": 1}
    assert entry["before"]["held"] == held


async def test_the_connections_of_its_keys_end(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform)
    key = await new_api_key(platform, workspace=workspace, role="sdk")
    async with platform.watch(token=key) as watcher:
        await delete(platform, workspace, force=True)
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(watcher.recv(), WAIT_SECONDS)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


async def test_what_it_hid_is_served_and_told(platform: RunningPlatform) -> None:
    above, below = await new_workspace(platform), await new_workspace(platform)
    key = new_key()
    await platform.create(key, env="prod", workspace=above, content="above")
    hidden = await platform.create(key, env="prod", workspace=below, content="below")
    async with platform.watch(namespace="prod") as watcher:
        await delete(platform, above, force=True)
        event = await next_event(watcher)
        assert (event["type"], event["id"]) == ("prompt.updated", hidden["id"])
        assert (await platform.fetch(key)).json()["content"] == "below"


async def test_a_run_that_ends_after_its_workspace_is_let_go(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform)
    run = await open_run(platform, workspace)
    assert (await delete(platform, workspace, force=True)).status_code == 200
    await close_run(platform, run)
    assert (await platform.http.get(f"/api/runs/{run}")).status_code == 404
    with pytest.raises(Exception, match="deleted meanwhile"):
        await open_run(platform, workspace)


async def test_its_audit_entries_are_for_admins_only(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    """Also where no other workspace is restricted, hence the platform of its own."""
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        viewer = await new_user(platform, "viewer")
        workspace = await new_workspace(platform, "restricted", viewer=viewer)
        await platform.create(workspace=workspace)

        async def seen(caller: httpx.AsyncClient) -> tuple[int, int]:
            page = (await caller.get("/api/audit?limit=200")).json()
            own = [entry for entry in page["data"] if entry["workspace_id"] == workspace]
            return len(own), page["total"] - len(page["data"])

        async with logged_in(platform, viewer) as client:
            assert await seen(client) == (3, 0)
            await delete(platform, workspace, force=True)
            assert await seen(client) == (0, 0)
            assert await seen(platform.http) == (4, 0)


async def test_what_is_made_in_it_meanwhile_is_refused_or_goes(
    platform: RunningPlatform,
) -> None:
    for force in (True, False):
        workspace = await new_workspace(platform)
        makes = [
            platform.http.post(
                "/api/prompts", json={"key": new_key(), "workspace": workspace, "env": f"e{number}"}
            )
            for number in range(6)
        ]
        makes += [
            platform.http.post(
                "/api/workflows", json={"key": new_key(), "steps": [], "workspace": workspace}
            )
            for _ in range(6)
        ]
        makes += [
            platform.http.post("/api/keys", json={"name": "k", "workspace": workspace})
            for _ in range(3)
        ]
        makes += [
            platform.http.post("/api/providers", json={**CONNECTION, "workspace": workspace})
            for _ in range(2)
        ]
        deletes = [delete(platform, workspace, force) for _ in range(2)]
        answers = await asyncio.gather(*makes[:7], *deletes, *makes[7:])
        assert {answer.status_code for answer in answers} <= {200, 404, 409}
        gone = (await platform.http.get(f"/api/workspaces/{workspace}")).status_code == 404
        if gone:
            assert (await left_behind(platform, workspace)).keys() == KEPT
        else:
            assert not force


async def test_prompts_that_are_edited_meanwhile_do_not_block_it(
    platform: RunningPlatform,
) -> None:
    workspace = await new_workspace(platform)
    prompts = [await platform.create(workspace=workspace) for _ in range(4)]
    edits = [
        platform.http.put(f"/api/prompts/{prompt['id']}", json={"env": f"moved-{number}"})
        for number in range(4)
        for prompt in prompts
    ]
    runs = [asyncio.create_task(open_run(platform, workspace)) for _ in range(4)]
    answers = await asyncio.gather(*edits[:8], delete(platform, workspace, True), *edits[8:])
    await asyncio.gather(*runs, return_exceptions=True)
    assert {answer.status_code for answer in answers} <= {200, 404}
    assert (await left_behind(platform, workspace)).keys() == KEPT


async def test_promotions_meanwhile_are_refused_or_go(platform: RunningPlatform) -> None:
    for _ in range(4):
        workspace = await new_workspace(platform)
        prompts = [await platform.create(workspace=workspace) for _ in range(6)]
        promotions = [
            platform.http.post(f"/api/prompts/{prompt['id']}/promote", json={"env": env})
            for env in ("test", "elsewhere")
            for prompt in prompts
        ]
        deletion = delete(platform, workspace, force=True)
        answers = await asyncio.gather(*promotions[:5], deletion, *promotions[5:])
        assert {answer.status_code for answer in answers} <= {200, 404}
        assert (await left_behind(platform, workspace)).keys() == KEPT
