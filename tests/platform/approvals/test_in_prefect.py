"""Runs that wait for people, on a real engine and a real Prefect."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from harness.approvals import STEPS, approval, asked_run, asking, decide, waiting
from harness.counting_vendor import counting_vendor
from harness.detached_runs import ended, submit
from harness.engine import running_engine, use_engine
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from harness.prefect_runs import flow_run
from harness.prefect_server import PrefectServer
from harness.processes import eventually
from harness.runs import detail
from harness.triggers import Receiver, new_trigger, receiver, settled
from harness.workflows import running, save_workflow

__all__ = ["receiver", "running"]

CANCELLING = {"type": "CANCELLING", "name": "Cancelling"}
RUNNING = {"type": "RUNNING", "name": "Running"}


async def shown(server: PrefectServer, flow_run_id: str, name: str, words: str = "") -> None:
    """Return once Prefect shows this state, with a message that has these words."""

    def look() -> bool:
        state = flow_run(server, flow_run_id)["state"]
        return bool(state["name"] == name and words in (state["message"] or ""))

    await asyncio.to_thread(eventually, look)


def set_state(
    server: PrefectServer, flow_run_id: str, state: dict[str, Any], *, force: bool
) -> None:
    with server.client() as client:
        body = {"state": state, "force": force}
        client.post(f"flow_runs/{flow_run_id}/set_state", json=body).raise_for_status()


async def test_prefect_shows_what_a_run_waits_for_and_goes_on(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    asked = await asked_run(running)
    flow_run_id = (await detail(running, asked["run_id"]))["flow_run_id"]
    await shown(prefect_server, flow_run_id, "Suspended", f"/runs/{asked['run_id']}")
    # As somebody may who forces it there; Resume itself is refused by Prefect.
    set_state(prefect_server, flow_run_id, RUNNING, force=True)
    await shown(prefect_server, flow_run_id, "Suspended", "Resume was pressed in Prefect")
    assert (await detail(running, asked["run_id"]))["state"] == "waiting"
    assert (await decide(running.http, asked)).status_code == 200
    run = await ended(running, asked["run_id"])
    assert (run["state"], run["output"], run["flow_run_id"]) == ("completed", "send", flow_run_id)
    await shown(prefect_server, flow_run_id, "Completed")


async def test_a_waiting_run_is_cancelled_in_prefect_and_here(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    there, here = [await asked_run(running) for _ in range(2)]
    flow_run_ids = [
        (await detail(running, asked["run_id"]))["flow_run_id"] for asked in (there, here)
    ]
    for flow_run_id in flow_run_ids:
        await shown(prefect_server, flow_run_id, "Suspended")
    set_state(prefect_server, flow_run_ids[0], CANCELLING, force=False)
    answer = await running.http.post(f"/api/runs/{here['run_id']}/cancel")
    assert answer.json()["data"]["state"] == "cancelled"
    run = await ended(running, there["run_id"])
    assert (run["state"], run["cancelled_by"]) == ("cancelled", "Prefect")
    await shown(prefect_server, flow_run_ids[0], "Cancelled", "cancelled by Prefect")
    await shown(prefect_server, flow_run_ids[1], "Cancelled", "cancelled by admin")
    assert (await approval(running, there["id"]))["state"] == "closed"


async def test_a_reminder_is_delivered_until_somebody_decides(
    running: RunningPlatform, receiver: Receiver
) -> None:
    on = {"event": "approval.reminder", "step": f"ask-{new_key()}"}
    to = {"url": f"{receiver.url}/hook"}
    trigger = await new_trigger(running, on, run=None, deliver=to)
    steps = asking(name=on["step"], reminders=["1s", "1h"])
    asked = await asked_run(running, steps)
    (delivery,) = await settled(running, trigger, "delivered")
    assert (delivery["event"]["approval_id"], delivery["event"]["reminder"]) == (asked["id"], 1)
    ((_, body),) = receiver.messages
    payload = json.loads(body)
    assert payload["type"] == "approval.reminder"
    assert payload["data"]["url"].endswith(f"/runs/{asked['run_id']}")
    assert (await decide(running.http, asked)).status_code == 200
    assert (await ended(running, asked["run_id"]))["state"] == "completed"


async def test_a_deadline_decides(running: RunningPlatform) -> None:
    outcomes = {"approve": "approved", "reject": "rejected"}
    asked = {
        outcome: await asked_run(running, asking(deadline="1s", on_deadline=outcome))
        for outcome in outcomes
    }
    runs = {outcome: await ended(running, item["run_id"]) for outcome, item in asked.items()}
    assert (runs["approve"]["state"], runs["reject"]["state"]) == ("completed", "failed")
    assert runs["reject"]["error"] == "step 2 (ask): rejected by the deadline"
    for outcome, state in outcomes.items():
        item = await approval(running, asked[outcome]["id"])
        assert (item["state"], item["decided_by"]) == (state, "the deadline")


@pytest.mark.trial
async def test_a_decision_survives_an_engine_that_was_killed(
    database_kind: DatabaseKind,
    postgres: Postgres,
    prefect_server: PrefectServer,
    data_folder: Path,
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder, engine_wait_seconds=30)
    address = prefect_server.api_url, prefect_server.auth
    development = {"PROMPTOPS_ENV": "development"}
    async with counting_vendor(0.0) as vendor, running_platform(settings) as platform:
        connection = {"name": "counted", "kind": "openai-compatible", "model": "m", "api_key": "k"}
        made = await platform.http.post(
            "/api/providers", json={**connection, "base_url": vendor.url}
        )
        assert made.status_code == 200, made.text
        steps = [{"name": "draft", "type": "model", "provider": "counted"}, *STEPS[1:]]
        with running_engine(*address, environment=development) as first:
            use_engine(platform, first)
            run_id = await submit(platform, await save_workflow(platform, steps))
            asked = await waiting(platform, run_id)
            first.process.kill()
            assert (await decide(platform.http, asked)).status_code == 200
            with running_engine(*address, environment=development, predecessor=first) as second:
                use_engine(platform, second)
                run = await ended(platform, run_id)
    assert (run["state"], run["attempt"], run["output"]) == ("completed", 2, "send")
    assert sum(vendor.calls.values()) == 1
