"""Workers as processes of their own, on a real Prefect."""

from harness.detached_runs import ended, submit
from harness.platform import RunningPlatform
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
    assert run["output"].startswith("HELLO ADA") or run["output"]
    assert [step["name"] for step in run["steps"]] == ["greet", "call", "loud"]
    assert listed["name"] == worker.name
    assert listed["is_online"] is True
