"""Schedules with a real run engine and a real Prefect: they run at their times."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.detached_runs import ended
from harness.engine import EngineProcess
from harness.platform import RunningPlatform
from harness.prefect_runs import ended_flow_run
from harness.prefect_server import PrefectServer
from harness.processes import eventually
from harness.schedules import delete_schedule, saved_schedule, schedule_once
from harness.workflows import running

__all__ = ["running"]


def deployment(server: PrefectServer, made: dict[str, Any]) -> dict[str, Any]:
    """As Prefect has it."""
    with server.client() as client:
        answer = client.get(f"deployments/{made['deployment_url'].rsplit('/', 1)[1]}")
        fields: dict[str, Any] = answer.json()
        return fields


async def test_a_schedule_runs_on_the_flow_runs_of_its_deployment(
    running: RunningPlatform, prefect_server: PrefectServer, engine: EngineProcess
) -> None:
    await engine.client().wait_ready(30)
    made = await saved_schedule(running, interval_seconds=2)
    assert len(made["next"]) == 10
    now = await schedule_once(
        running,
        made["id"],
        lambda now: sum(run["state"] == "completed" for run in now["last_runs"]) > 1,
    )
    await delete_schedule(running, made["id"])
    times = [run["scheduled_at"] for run in now["last_runs"]]
    assert len(set(times)) == len(times), "each time is run once"
    run = await ended(running, now["last_runs"][-1]["id"])
    assert (run["state"], run["output"], run["user"]) == (
        "completed",
        "Hello Ada",
        f"schedule {made['key']}",
    )
    assert run["started_by"] == {"kind": "schedule", "id": made["id"], "key": made["key"]}
    flow_run = await asyncio.to_thread(ended_flow_run, prefect_server, run["flow_run_id"])
    assert flow_run["deployment_id"] == now["deployment_url"].rsplit("/", 1)[1]
    assert (flow_run["state_name"], flow_run["auto_scheduled"]) == ("Completed", True)


async def test_a_pause_in_prefect_is_read_back(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    made = await schedule_once(
        running,
        (await saved_schedule(running))["id"],
        lambda now: now["deployment_url"] is not None,
    )
    own = deployment(prefect_server, made)
    with prefect_server.client() as client:
        url = f"deployments/{own['id']}/schedules/{own['schedules'][0]['id']}"
        client.patch(url, json={"active": False}).raise_for_status()
    paused = await schedule_once(running, made["id"], lambda now: now["paused"])
    assert (paused["updated_by"], paused["next"]) == ("Prefect", [])
    answer = await running.http.post(f"/api/schedules/{made['id']}/resume")
    assert answer.status_code == 200, answer.text

    def resumed() -> bool:
        return bool(deployment(prefect_server, made)["schedules"][0]["active"])

    await asyncio.to_thread(eventually, resumed)
    await delete_schedule(running, made["id"])


async def test_run_in_prefect_runs_it_now(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    made = await schedule_once(
        running,
        (await saved_schedule(running, paused=True))["id"],
        lambda now: now["deployment_url"] is not None,
    )
    own = deployment(prefect_server, made)
    with prefect_server.client() as client:
        body = {"parameters": {"who": "Grace"}}
        client.post(f"deployments/{own['id']}/create_flow_run", json=body).raise_for_status()
    now = await schedule_once(running, made["id"], lambda now: bool(now["last_runs"]))
    run = await ended(running, now["last_runs"][0]["id"])
    assert (run["state"], run["output"]) == ("completed", "Hello Grace")
    await delete_schedule(running, made["id"])


async def test_run_now_is_a_run_beside_its_times(running: RunningPlatform) -> None:
    made = await saved_schedule(running)
    answer = await running.http.post(f"/api/schedules/{made['id']}/run")
    assert answer.status_code == 202, answer.text
    run = await ended(running, answer.json()["run_id"])
    assert (run["state"], run["output"]) == ("completed", "Hello Ada")
    now = await schedule_once(running, made["id"], lambda now: bool(now["last_runs"]))
    assert now["last_runs"][0]["scheduled_at"] is None
    await delete_schedule(running, made["id"])


@pytest.mark.parametrize("field", ["cron", "rrule"])
async def test_a_timetable_that_prefect_refuses_is_refused(
    running: RunningPlatform, field: str, engine: EngineProcess
) -> None:
    await engine.client().wait_ready(30)
    body = {"key": "wrong", "workflow": "missing", field: "61 * * * *"}
    made = await saved_schedule(running)
    answer = await running.http.put(f"/api/schedules/{made['id']}", json={field: body[field]})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"].startswith(f"{field}: ")
    await delete_schedule(running, made["id"])
