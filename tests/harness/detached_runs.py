"""Runs that nobody waits for."""

from typing import Any

from sqlalchemy import text

from harness.platform import RunningPlatform, until_found
from harness.runs import detail

STEPS: list[dict[str, Any]] = [
    {"name": name, "type": "render", "template": name} for name in ("one", "two", "three")
]
ENDED = ("completed", "failed", "timed_out", "cancelled", "crashed")


async def submit(platform: RunningPlatform, workflow: dict[str, Any], **body: Any) -> str:
    """The id of a new run with `"wait": false`."""
    url = f"/api/workflows/{workflow['id']}/run"
    answer = await platform.http.post(url, json={"wait": False, **body})
    assert answer.status_code == 202, answer.text
    started = answer.json()
    assert answer.headers["location"] == f"/api/runs/{started['run_id']}"
    assert started["data"]["id"] == started["run_id"]
    assert started["data"]["state"] == "queued"
    return str(started["run_id"])


async def ended(platform: RunningPlatform, run_id: str) -> dict[str, Any]:
    """The run once it has ended."""

    async def look() -> list[dict[str, Any]]:
        run = await detail(platform, run_id)
        return [run] if run["state"] in ENDED else []

    return (await until_found(look))[0]


async def stored(platform: RunningPlatform, table: str) -> list[Any]:
    """The stored data that lets runs continue."""
    async with platform.platform.database.read() as transaction:
        return list(await transaction.session.execute(text(f"SELECT * FROM {table}")))
