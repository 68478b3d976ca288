"""Runs as Prefect shows them."""

import asyncio
from typing import Any

import httpx

from harness.prefect_server import PrefectServer
from harness.processes import eventually


def flow_run(server: PrefectServer, flow_run_id: str) -> dict[str, Any]:
    with server.client() as client:
        run: dict[str, Any] = client.get(f"flow_runs/{flow_run_id}").raise_for_status().json()
        return run


def ended_flow_run(server: PrefectServer, flow_run_id: str) -> dict[str, Any]:
    """The flow run once Prefect has stored its end: if Prefect is slow, the engine reports the
    result first."""

    def look() -> dict[str, Any] | None:
        run = flow_run(server, flow_run_id)
        return run if run["end_time"] else None

    return eventually(look)


async def until_state(server: PrefectServer, name: str, *flow_run_ids: str) -> None:
    """Wait until Prefect shows that state of all these runs, possibly after the caller has the
    result."""

    def states() -> set[str]:
        return {flow_run(server, flow_run_id)["state_name"] for flow_run_id in flow_run_ids}

    await asyncio.to_thread(eventually, lambda: states() == {name})


def task_runs(server: PrefectServer, flow_run_id: str, count: int) -> list[dict[str, Any]]:
    """The run's task runs in order, once Prefect has written the ends of `count` of them.

    Prefect writes task runs with a delay, their end before their state.
    """
    filters = {
        "flow_runs": {"id": {"any_": [flow_run_id]}},
        "sort": "EXPECTED_START_TIME_ASC",
    }

    def look() -> list[dict[str, Any]] | None:
        with server.client() as client:
            runs: list[dict[str, Any]] = client.post("task_runs/filter", json=filters).json()
        done = [run for run in runs if run["end_time"] and run["state"]]
        return sorted(done, key=lambda run: run["start_time"]) if len(done) == count else None

    return eventually(look)


def leave_behind(client: httpx.Client, count: int, engine_id: str) -> list[str]:
    """So many runs that look like runs that an engine of that identity left behind."""
    flow_id = client.post("flows/", json={"name": "left"}).raise_for_status().json()["id"]
    tags = ["promptops", f"engine:{engine_id}"]
    run = {"flow_id": flow_id, "tags": tags, "state": {"type": "RUNNING"}}
    answers = [client.post("flow_runs/", json=run).raise_for_status() for _ in range(count)]
    return [answer.json()["id"] for answer in answers]
