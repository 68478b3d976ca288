"""Two API servers of Prefect, its services apart, and Redis: the platform's engine uses one server,
the worker the other."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from harness.detached_runs import ended, submit
from harness.engine import running_engine, use_engine
from harness.platform import (
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
    until_found,
)
from harness.postgres import Postgres
from harness.prefect_processes import PrefectProcesses, make_schema, missing, split
from harness.prefect_runs import until_state
from harness.runs import detail
from harness.schedules import delete_schedule, saved_schedule, schedule_once
from harness.triggers import new_trigger, settled
from harness.workers import new_pool, running_worker
from harness.workflows import save_workflow

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]

GREET = {"name": "greet", "type": "render", "template": "Hello"}
SLOW = {"name": "slow", "type": "model", "provider": "mock", "model": "mock-slow-60000ms"}
PUBLISHES = 15


class Split(NamedTuple):
    platform: RunningPlatform
    prefect: PrefectProcesses
    pool: str


@pytest_asyncio.fixture(scope="module")
async def parts(postgres: Postgres) -> AsyncIterator[Split]:
    folder, data, pool = Path(tempfile.mkdtemp()), new_data_folder(), new_pool()
    url = await postgres.new_database()
    await asyncio.to_thread(make_schema, folder, url)
    settings = await new_settings("postgresql", postgres, data, engine_wait_seconds=30)
    with split(folder, url, api_servers=2) as prefect:
        first, second = prefect.servers
        with running_engine(first.api_url, first.auth) as engine:
            async with running_platform(settings) as platform:
                use_engine(platform, engine)
                async with running_worker(platform, pool, second):
                    yield Split(platform, prefect, pool)
    shutil.rmtree(data)
    shutil.rmtree(folder)


async def test_runs_and_prefects_cancel_on_the_other_server(parts: Split) -> None:
    quick = await save_workflow(parts.platform, [GREET], pool=parts.pool)
    run = await ended(parts.platform, await submit(parts.platform, quick))
    assert (run["state"], run["output"]) == ("completed", "Hello")
    executors = ({"pool": parts.pool}, {})
    for fields, server in zip(executors, parts.prefect.servers, strict=True):
        slow = await save_workflow(parts.platform, [GREET, SLOW], **fields)
        run_id = await submit(parts.platform, slow)

        async def begun(run_id: str = run_id) -> list[dict[str, Any]]:
            run = await detail(parts.platform, run_id)
            return [run] if run["steps"] else []

        flow_run_id = (await until_found(begun))[0]["flow_run_id"]
        with server.client() as client:
            state = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
            client.post(f"flow_runs/{flow_run_id}/set_state", json=state).raise_for_status()
        assert (await ended(parts.platform, run_id))["state"] == "cancelled"
        await until_state(server, "Cancelled", flow_run_id)


async def test_a_schedule_starts_runs(parts: Split) -> None:
    workflow = await save_workflow(parts.platform, [GREET], pool=parts.pool)
    published = await parts.platform.http.post(f"/api/workflows/{workflow['id']}/publish", json={})
    assert published.status_code == 200, published.text
    fields = {"workflow": workflow["key"], "version": 1, "interval_seconds": 5}
    made = await saved_schedule(parts.platform, **fields)
    await schedule_once(
        parts.platform,
        made["id"],
        lambda now: [run["state"] for run in now["last_runs"]].count("completed") >= 2,
    )
    await delete_schedule(parts.platform, made["id"])


async def test_each_publish_triggers_one_run(parts: Split) -> None:
    prompt = await parts.platform.create()
    trigger = await new_trigger(parts.platform, {"event": "prompt.published", "key": prompt["key"]})
    for _ in range(PUBLISHES):
        await parts.platform.publish(prompt["id"])
    rows = await settled(parts.platform, trigger, number=PUBLISHES)
    runs = [await ended(parts.platform, row["run_id"]) for row in rows]
    assert [run["state"] for run in runs] == ["completed"] * PUBLISHES
    assert len({run["id"] for run in runs}) == PUBLISHES
