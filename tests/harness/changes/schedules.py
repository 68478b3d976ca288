"""Schedules."""

from typing import Any

from harness.changes.rows import Call, row
from harness.changes.workflows import STEPS
from harness.people import sent
from harness.platform import RunningPlatform, new_key


@row("POST", "/api/schedules", "create")
async def _create_schedule(platform: RunningPlatform) -> Call:
    return Call("/api/schedules", await _daily(platform))


@row("PUT", "/api/schedules/{schedule_id}", "update")
async def _update_schedule(platform: RunningPlatform) -> Call:
    return Call(f"/api/schedules/{await schedule(platform)}", {"cron": "0 4 * * *"})


@row("DELETE", "/api/schedules/{schedule_id}", "delete")
async def _delete_schedule(platform: RunningPlatform) -> Call:
    return Call(f"/api/schedules/{await schedule(platform)}")


@row("POST", "/api/schedules/{schedule_id}/pause", "pause")
async def _pause_schedule(platform: RunningPlatform) -> Call:
    return Call(f"/api/schedules/{await schedule(platform)}/pause")


@row("POST", "/api/schedules/{schedule_id}/resume", "resume")
async def _resume_schedule(platform: RunningPlatform) -> Call:
    return Call(f"/api/schedules/{await schedule(platform, paused=True)}/resume")


@row("POST", "/api/schedules/{schedule_id}/run", "run")
async def _run_schedule(platform: RunningPlatform) -> Call:
    return Call(f"/api/schedules/{await schedule(platform)}/run", status=202)


async def _daily(platform: RunningPlatform) -> dict[str, Any]:
    key = new_key()
    sent(await platform.http.post("/api/workflows", json={"key": key, "steps": STEPS}))
    return {"key": new_key(), "workflow": key, "cron": "0 3 * * *"}


async def schedule(platform: RunningPlatform, **fields: Any) -> str:
    """The id of a new schedule."""
    body = {**await _daily(platform), **fields}
    return str(sent(await platform.http.post("/api/schedules", json=body))["id"])
