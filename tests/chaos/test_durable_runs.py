"""Kill -9 of engine and platform in the middle of runs that nobody waits for."""

from __future__ import annotations

import asyncio
import os
from signal import SIGKILL
from typing import Any, NamedTuple

import httpx
import pytest

from harness.counting_vendor import CountingVendor, counting_vendor
from harness.platform import DatabaseKind
from harness.postgres import Postgres
from harness.up import PromptOps, created, promptops

pytestmark = pytest.mark.trial

# The first one renders, the others ask a model.
STEPS = [
    {"name": "name", "type": "render", "template": "run {{number}}"},
    *({"name": f"ask {number}", "type": "model", "provider": "slow"} for number in range(4)),
]
WAIT_SECONDS = 900
ENDED = ("completed", "failed", "timed_out", "cancelled", "crashed")


class Plan(NamedTuple):
    """So many runs, so many at once, and whom it kills, each time after so many further ends."""

    runs: int
    places: int
    ends: int
    victims: tuple[str, ...]


PLAN = Plan(200, 16, 30, (*("engine",) * 5, "platform"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> DatabaseKind:
    kind: DatabaseKind = request.param
    return kind


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_runs_survive_kill_9(database_kind: DatabaseKind, postgres: Postgres) -> None:
    settings = {"engine_concurrency": str(PLAN.places)}
    if database_kind == "postgresql":
        settings["database_url"] = await postgres.new_database()
    async with counting_vendor(0.3) as vendor:
        with promptops("up", settings) as platform:
            await asyncio.to_thread(platform.start)
            run_ids = await asyncio.to_thread(submit, platform, vendor, PLAN.runs)
            completed: dict[str, int] = {}
            for number, victim in enumerate(PLAN.victims, 1):
                await ended(platform, run_ids, PLAN.ends * number)
                await asyncio.to_thread(kill, platform, victim)
                for text in await asyncio.to_thread(completed_steps, platform, run_ids):
                    completed.setdefault(text, vendor.calls[text])
            runs = await ended(platform, run_ids, PLAN.runs)
            total = await asyncio.to_thread(count_ended, platform)
            assert platform.stop() == 0
    assert {(run["state"], run["error"]) for run in runs} == {("completed", "")}
    assert total == PLAN.runs, "each has ended once"
    assert max(run["attempt"] for run in runs) > 1, "some were hit"
    assert {text: vendor.calls[text] for text in completed} == completed
    assert len(vendor.calls) == PLAN.runs * 4, "each step of each run was executed"


def submit(platform: PromptOps, vendor: CountingVendor, runs: int) -> list[str]:
    connection = {"name": "slow", "kind": "openai-compatible", "model": "m", "api_key": "k"}
    with platform.client() as client:
        made = client.post("/api/providers", json={**connection, "base_url": vendor.url})
        assert made.status_code == 200, made.text
        workflow = created(client, "workflows", key="chain", steps=STEPS)
        return [submit_one(client, workflow["id"], number) for number in range(runs)]


def submit_one(client: httpx.Client, workflow_id: str, number: int) -> str:
    body = {"wait": False, "variables": {"number": number}}
    answer = client.post(f"/api/workflows/{workflow_id}/run", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


def kill(platform: PromptOps, victim: str) -> None:
    if victim == "engine":
        os.kill(platform.child("engine"), SIGKILL)
    else:
        platform.kill()
        platform.start()


def details(platform: PromptOps, run_ids: list[str]) -> list[dict[str, Any]]:
    with platform.client() as client:
        return [client.get(f"/api/runs/{run_id}").json()["data"] for run_id in run_ids]


def completed_steps(platform: PromptOps, run_ids: list[str]) -> list[str]:
    """What the model was asked in each step whose checkpoint is stored."""
    return [
        step["input"]
        for run in details(platform, run_ids)
        for step in run["steps"]
        if step["type"] == "model" and step["state"] == "Completed"
    ]


def count_ended(platform: PromptOps) -> int:
    with platform.client() as client:
        total: int = client.get("/api/runs/stats").json()["total"]
        return total


async def ended(platform: PromptOps, run_ids: list[str], number: int) -> list[dict[str, Any]]:
    """The runs that have ended, once there are so many."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            runs = await asyncio.to_thread(details, platform, run_ids)
            done = [run for run in runs if run["state"] in ENDED]
            if len(done) >= number:
                return done
            await asyncio.sleep(0.3)
