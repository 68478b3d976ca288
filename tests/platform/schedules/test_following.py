"""What changes under a schedule reaches Prefect; what differs there is corrected, and said."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from harness.definitions import Definition, content
from harness.detached_runs import ended
from harness.engine import READY_SECONDS, EngineProcess, use_engine
from harness.people import sent
from harness.platform import (
    RunningPlatform,
    new_data_folder,
    new_key,
    new_settings,
    running_platform,
    until,
    until_found,
)
from harness.postgres import Postgres
from harness.prefect_server import PrefectServer
from harness.processes import eventually
from harness.schedules import (
    delete_schedule,
    deployment,
    in_prefect,
    saved_schedule,
    schedule_once,
)
from harness.workflows import running
from promptops_platform.diagnosis.database import check_database
from promptops_platform.settings import Settings

__all__ = ["running"]


@pytest.fixture(autouse=True)
async def ready(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)


async def new_workflow(platform: RunningPlatform, text: str) -> Definition:
    body = {"key": new_key(), **content("workflow", text)}
    made = sent(await platform.http.post("/api/workflows", json=body))
    return Definition(platform.http, "workflow", made)


async def outputs(platform: RunningPlatform, now: dict[str, Any]) -> list[str]:
    return [(await ended(platform, run["id"]))["output"] for run in now["last_runs"]]


async def test_a_publish_reaches_the_next_time(running: RunningPlatform) -> None:
    workflow = await new_workflow(running, "one")
    await workflow.publish(env="prod")
    made = await saved_schedule(
        running, workflow=workflow.key, env="prod", interval_seconds=1, variables={}
    )
    now = await schedule_once(running, made["id"], lambda now: bool(now["last_runs"]))
    assert await outputs(running, now) == ["one"] * len(now["last_runs"])
    await workflow.edit("two")
    await workflow.publish(env="prod")
    published_at = datetime.now(UTC)

    def later(now: dict[str, Any]) -> list[str]:
        """Runs of times after the publish."""
        times = {run["id"]: datetime.fromisoformat(run["scheduled_at"]) for run in now["last_runs"]}
        return [run_id for run_id, at in times.items() if at > published_at]

    now = await schedule_once(running, made["id"], lambda now: bool(later(now)))
    assert (await ended(running, later(now)[-1]))["output"] == "two"
    await delete_schedule(running, made["id"])


async def test_a_definition_that_is_deleted_stops_its_schedule_until_it_is_back(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    workflow = await new_workflow(running, "one")
    await workflow.publish()
    made = await saved_schedule(running, workflow=workflow.key, version=1, variables={})
    made = await schedule_once(running, made["id"], lambda now: bool(now["deployment_url"]))
    url = made["deployment_url"]
    refused = await running.http.delete(workflow.url)
    assert refused.status_code == 409
    assert made["key"] in refused.text
    assert (await running.http.delete(workflow.url, params={"force": True})).status_code == 200
    gone = await schedule_once(running, made["id"], lambda now: bool(now["problem"]))
    assert gone["problem"] == f"workflow {workflow.key!r} does not exist any more"
    await asyncio.to_thread(eventually, lambda: in_prefect(prefect_server, url) is None)
    again = {"key": workflow.key, **content("workflow", "again")}
    sent(await running.http.post("/api/workflows", json=again))
    back = await schedule_once(
        running, made["id"], lambda now: now["deployment_url"] not in (None, url)
    )
    assert in_prefect(prefect_server, back["deployment_url"])
    await delete_schedule(running, made["id"])


async def test_an_edit_and_a_deletion_reach_prefect(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    made = await saved_schedule(running)
    own = await deployment(running, prefect_server, made["id"])
    body = {"interval_seconds": 600, "timezone": "Europe/Berlin", "variables": {"who": "Grace"}}
    sent(await running.http.put(f"/api/schedules/{made['id']}", json=body))

    def edited() -> bool:
        with prefect_server.client() as client:
            now = client.get(f"deployments/{own['id']}").json()
        (only,) = now["schedules"]
        return now["parameters"] == {"who": "Grace"} and only["schedule"].get("interval") == 600

    await asyncio.to_thread(eventually, edited)
    await delete_schedule(running, made["id"])
    await asyncio.to_thread(eventually, lambda: in_prefect(prefect_server, own["id"]) is None)


def restore(copy: Path, file: Path) -> None:
    for leftover in file.parent.glob(f"{file.name}*"):
        leftover.unlink()
    shutil.copy(copy, file)


@asynccontextmanager
async def started(settings: Settings, engine: EngineProcess) -> AsyncIterator[RunningPlatform]:
    """Once it has been compared with Prefect."""
    begun = datetime.now(UTC)
    async with running_platform(settings) as platform:
        use_engine(platform, engine)

        async def compared() -> list[dict[str, Any]]:
            state = await deployments_state(platform)
            at = state["compared_at"]
            return [state] if at and datetime.fromisoformat(at) > begun else []

        await until_found(compared)
        yield platform


async def deployments_state(platform: RunningPlatform) -> dict[str, Any]:
    return dict(sent(await platform.http.get("/api/system"))["prefect"]["deployments"])


async def test_a_database_restored_from_an_older_copy_is_reconciled_and_said(
    data_folder: Path, engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    settings = await new_settings("sqlite", None, data_folder, engine_wait_seconds=30)
    file, copy = data_folder / "promptops.db", data_folder / "copy.db"
    async with started(settings, engine) as platform:
        edited, deleted = [await saved_schedule(platform) for _ in range(2)]
        before = {
            made["id"]: await deployment(platform, prefect_server, made["id"])
            for made in (edited, deleted)
        }
    shutil.copy(file, copy)
    async with started(settings, engine) as platform:
        assert (await deployments_state(platform))["corrected_at"] is None, "nothing differed"
        url = f"/api/schedules/{edited['id']}"
        sent(await platform.http.put(url, json={"cron": "0 9 * * *"}))
        await delete_schedule(platform, deleted["id"])
        extra = await saved_schedule(platform)
        gone = await deployment(platform, prefect_server, extra["id"])
        waiting = platform.platform.deployments.service
        await until(lambda: waiting.waiting == 0)
    restore(copy, file)
    with capture_logs() as logs:
        async with started(settings, engine) as platform:
            own = await deployment(platform, prefect_server, edited["id"])
            assert own["schedules"][0]["schedule"]["cron"] == "0 3 * * *"
            assert own["id"] == before[edited["id"]]["id"]

            state = await deployments_state(platform)
            assert in_prefect(prefect_server, gone["id"]) is None
            names = [f"{made['workflow']}/{made['key']}" for made in (edited, deleted)]
            assert state["corrected"] == names[:1]
            assert state["created"] == names[1:]
            assert [name.split(" ")[0] for name in state["removed"]] == [extra["key"]]
            metrics = (await platform.http.get("/metrics")).text
            for change in ("created", "corrected", "removed"):
                assert f'promptops_prefect_corrections_total{{change="{change}"}} 1.0' in metrics
            (finding,) = [
                finding
                for finding in await check_database(settings)
                if finding.check == "deployments"
            ]
            assert f"corrected {names[0]}" in finding.text
            for made in (edited, deleted):
                await delete_schedule(platform, made["id"])
    (line,) = [line for line in logs if line["event"] == "deployments_corrected"]
    assert (line["created"], line["corrected"]) == ((names[1],), (names[0],))


@pytest.mark.trial
async def test_two_replicas_run_each_time_once(
    postgres: Postgres, engine: EngineProcess, data_folder: Path
) -> None:
    """Both are told of each flow run."""
    settings = await new_settings("postgresql", postgres, data_folder, engine_wait_seconds=30)
    keyed = settings.model_copy(update={"secret_key": SecretStr("A" * 43 + "=")})
    folder = new_data_folder()
    beside = keyed.model_copy(update={"data": folder})
    async with started(keyed, engine) as one, started(beside, engine) as other:
        made = await saved_schedule(one, interval_seconds=1, overlap="queue")
        now = await schedule_once(
            other,
            made["id"],
            lambda now: sum(run["state"] == "completed" for run in now["last_runs"]) >= 5,
        )
        await delete_schedule(one, made["id"])
        times = [run["scheduled_at"] for run in now["last_runs"]]
        assert len(set(times)) == len(times)
        # The last one may have lost its flow run with the schedule.
        runs = [await ended(one, run["id"]) for run in now["last_runs"][1:]]
        assert {run["state"] for run in runs} == {"completed"}, [run["error"] for run in runs]
        assert len({run["flow_run_id"] for run in runs} - {None}) == len(runs)
    await asyncio.to_thread(shutil.rmtree, folder)
