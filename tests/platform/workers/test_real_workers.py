"""Workers as processes of their own, on a real Prefect."""

import signal
from typing import Any

from harness.agents import save_agent
from harness.detached_runs import ended, submit
from harness.platform import RunningPlatform, until_found
from harness.prefect_server import PrefectServer
from harness.runs import detail
from harness.workers import new_pool, running_worker, workers
from harness.workflows import running, save_workflow

__all__ = ["running"]

STEPS = [
    {"name": "greet", "type": "render", "template": "Hello {{name}}"},
    {"name": "call", "type": "model", "provider": "mock"},
    {"name": "loud", "type": "transform", "op": "upper"},
]


async def test_one_run_on_one_worker(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    pool = new_pool()
    workflow = await save_workflow(running, STEPS, pool=pool)
    run_id = await submit(running, workflow, variables={"name": "Ada"})
    assert (await detail(running, run_id))["pool"] == pool
    async with running_worker(running, pool, prefect_server) as worker:
        run = await ended(running, run_id)
        (listed,) = await workers(running, pool)
    assert run["state"] == "completed", run
    assert run["output"] == "[MOCK COMPLETION] HELLO ADA"
    assert [step["name"] for step in run["steps"]] == ["greet", "call", "loud"]
    assert listed["name"] == worker.name
    assert listed["is_online"] is True


async def test_a_run_that_somebody_waits_for_goes_on_by_itself(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    """A worker may come later than any caller waits."""
    pool = new_pool()
    workflow = await save_workflow(running, STEPS[:1], pool=pool)
    agent = await save_agent(running, prompt="Hi", provider="mock", pool=pool)
    paths = [f"/api/workflows/{workflow['id']}/run", f"/api/agents/{agent['id']}/run"]
    run_ids = []
    for path in paths:
        answer = await running.http.post(path, json={"variables": {"name": "Ada"}})
        assert answer.status_code == 202, answer.text
        run_ids.append(answer.json()["run_id"])
        streamed = await running.http.post(path, json={"variables": {}, "stream": True})
        assert streamed.text.startswith("event: waiting\n"), streamed.text
    async with running_worker(running, pool, prefect_server):
        states = [(await ended(running, run_id))["state"] for run_id in run_ids]
    assert states == ["completed", "completed"]


async def test_the_runs_of_a_killed_worker_go_to_another(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    pool = new_pool()
    slow = {"name": "slow", "type": "model", "provider": "mock", "model": "mock-slow-60000ms"}
    workflow = await save_workflow(running, [*STEPS[:1], slow], pool=pool)
    async with running_worker(running, pool, prefect_server) as worker:
        run_id = await submit(running, workflow, variables={"name": "Ada"})

        async def steps() -> list[dict[str, Any]]:
            return list((await detail(running, run_id))["steps"])

        (first,) = await until_found(steps)
        assert (first["name"], first["reused"]) == ("greet", False)
        worker.process.send_signal(signal.SIGKILL)
        async with running_worker(running, pool, prefect_server):

            async def second_attempt() -> list[dict[str, Any]]:
                run = await detail(running, run_id)
                return [run] if (run["attempt"], run["state"]) == (2, "running") else []

            await until_found(second_attempt)
            answer = await running.http.post(f"/api/runs/{run_id}/cancel")
            assert answer.status_code == 202, answer.text
            run = await ended(running, run_id)
    assert run["state"] == "cancelled"
    # The first step was executed once.
    assert [(step["name"], step["state"]) for step in run["steps"]] == [
        ("greet", "Completed"),
        ("slow", "Cancelled"),
    ]
