"""Schedules, over the API."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from harness.detached_runs import ENDED
from harness.people import sent
from harness.platform import RunningPlatform, new_key, until_found
from harness.prefect_server import PrefectServer
from harness.processes import eventually
from harness.workflows import save_workflow
from promptops_platform.schedules.tables import ScheduleRow

SAY = [{"name": "say", "type": "render", "template": "Hello {{who}}"}]
SCHEMA = {"type": "object", "properties": {"who": {"type": "string"}}, "required": ["who"]}
WITHIN = 60.0


async def saved_schedule(platform: RunningPlatform, **fields: Any) -> dict[str, Any]:
    """A schedule of a workflow that greets Ada, daily by default."""
    if "workflow" not in fields and "agent" not in fields:
        workflow = await save_workflow(platform, SAY, input_schema=SCHEMA)
        fields["workflow"] = workflow["key"]
    if not {"cron", "interval_seconds", "rrule"} & fields.keys():
        fields["cron"] = "0 3 * * *"
    body = {"key": new_key(), "variables": {"who": "Ada"}, **fields}
    return dict(sent(await platform.http.post("/api/schedules", json=body)))


async def schedule(platform: RunningPlatform, schedule_id: str) -> dict[str, Any]:
    """Its current state."""
    return dict(sent(await platform.http.get(f"/api/schedules/{schedule_id}")))


async def schedule_once(
    platform: RunningPlatform, schedule_id: str, condition: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The schedule once the condition is true."""

    async def look() -> list[dict[str, Any]]:
        now = await schedule(platform, schedule_id)
        return [now] if condition(now) else []

    return (await until_found(look, WITHIN))[0]


async def delete_schedule(platform: RunningPlatform, schedule_id: str) -> None:
    """Delete its flow runs: tests share Prefect, so nothing may become due later."""
    sent_ok = await platform.http.delete(f"/api/schedules/{schedule_id}")
    assert sent_ok.status_code == 200, sent_ok.text


async def deployment(
    platform: RunningPlatform, server: PrefectServer, schedule_id: str
) -> dict[str, Any]:
    """The schedule's deployment in Prefect, once it exists."""
    made = await schedule_once(platform, schedule_id, lambda now: bool(now["deployment_url"]))
    return in_prefect(server, made["deployment_url"]) or {}


def in_prefect(server: PrefectServer, url: str) -> dict[str, Any] | None:
    """A deployment by its id or the address of its page; None if it doesn't exist."""
    with server.client() as client:
        answer = client.get(f"deployments/{url.rpartition('/')[2]}")
    return dict(answer.json()) if answer.is_success else None


def flow_runs(server: PrefectServer, deployment_id: str) -> list[dict[str, Any]]:
    """The due flow runs of a deployment, earliest first."""
    filters = {
        "flow_runs": {
            "deployment_id": {"any_": [deployment_id]},
            "expected_start_time": {"before_": datetime.now(UTC).isoformat()},
        },
        "sort": "EXPECTED_START_TIME_ASC",
    }
    with server.client() as client:
        return list(client.post("flow_runs/filter", json=filters).raise_for_status().json())


async def flow_run_saying(
    server: PrefectServer, deployment_id: str, state: str, words: str
) -> dict[str, Any]:
    """The first flow run of a deployment in this state with these words in its message, once there
    is one."""

    def look() -> dict[str, Any] | None:
        for flow_run in flow_runs(server, deployment_id):
            if flow_run["state_name"] == state and words in (flow_run["state"]["message"] or ""):
                return flow_run
        return None

    return await asyncio.to_thread(eventually, look)


async def missed_since(
    platform: RunningPlatform, schedule_id: str, since: datetime, anchor: datetime
) -> None:
    """Pretend that nothing has run since then; its interval counts from `anchor`."""
    async with platform.platform.database.write() as transaction:
        row = await transaction.session.get_one(ScheduleRow, schedule_id)
        row.settled_at, row.anchor = since, anchor
    await platform.platform.deployments.service.reconcile()


async def delete_schedules(platform: RunningPlatform) -> None:
    """Delete all schedules and what they run: tests share Prefect, also with one that has
    failed."""
    for made in sent(await platform.http.get("/api/schedules")):
        runs = (await schedule(platform, made["id"]))["last_runs"]
        await delete_schedule(platform, made["id"])
        for run in runs:
            if run["state"] not in ENDED:
                await platform.http.post(f"/api/runs/{run['id']}/cancel")
