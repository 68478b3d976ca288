"""Schedules, by their routes."""

from collections.abc import Callable
from typing import Any

from harness.people import sent
from harness.platform import RunningPlatform, new_key, until_found
from harness.workflows import save_workflow

SAY = [{"name": "say", "type": "render", "template": "Hello {{who}}"}]
SCHEMA = {"type": "object", "properties": {"who": {"type": "string"}}, "required": ["who"]}
WITHIN = 60.0


async def saved_schedule(platform: RunningPlatform, **fields: Any) -> dict[str, Any]:
    """A schedule of a workflow that greets Ada, by default daily."""
    if "workflow" not in fields and "agent" not in fields:
        workflow = await save_workflow(platform, SAY, input_schema=SCHEMA)
        fields["workflow"] = workflow["key"]
    if not {"cron", "interval_seconds", "rrule"} & fields.keys():
        fields["cron"] = "0 3 * * *"
    body = {"key": new_key(), "variables": {"who": "Ada"}, **fields}
    return dict(sent(await platform.http.post("/api/schedules", json=body)))


async def schedule(platform: RunningPlatform, schedule_id: str) -> dict[str, Any]:
    """As it is now."""
    return dict(sent(await platform.http.get(f"/api/schedules/{schedule_id}")))


async def schedule_once(
    platform: RunningPlatform, schedule_id: str, condition: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The schedule once it is so."""

    async def look() -> list[dict[str, Any]]:
        now = await schedule(platform, schedule_id)
        return [now] if condition(now) else []

    return (await until_found(look, WITHIN))[0]


async def delete_schedule(platform: RunningPlatform, schedule_id: str) -> None:
    """Tests share Prefect, so nothing is left that becomes due."""
    sent_ok = await platform.http.delete(f"/api/schedules/{schedule_id}")
    assert sent_ok.status_code == 200, sent_ok.text
