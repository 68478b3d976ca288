"""Runs that wait for people: suspended in Prefect, and continued as the same flow run."""

import asyncio
from dataclasses import replace
from typing import Any

from harness.engine import EngineProcess, prepared, workflow
from harness.prefect_runs import flow_run, task_runs
from harness.prefect_server import PrefectServer
from harness.processes import eventually
from promptops_flows.protocol.engine_client import (
    ApprovalAsked,
    Checkpoint,
    RunEvent,
    RunFinished,
    RunRequest,
    RunSuspended,
    StepCheckpoint,
)
from promptops_flows.steps.approval import Decision, decided
from promptops_flows.steps.plans import WorkflowPlan

PAGE = "http://console.test/w/default/runs/one"
DRAFT = {"name": "draft", "type": "render", "template": "Dear {{name}}", "needs": []}
ASK = {"name": "ask", "type": "approval", "message": "Send *{{input}}*?", "needs": ["draft"]}
SEND = {
    "name": "send",
    "type": "render",
    "template": "{{steps.draft.output}}: {{steps.ask.output.comment}}",
    "needs": ["ask"],
}
BESIDE = [
    {"name": "other", "type": "render", "template": "beside", "needs": []},
    {"name": "more", "type": "transform", "op": "upper", "needs": ["other"]},
]
STEPS = [DRAFT, ASK, SEND, *BESIDE]


async def executed(engine: EngineProcess, asked: RunRequest) -> tuple[str, list[RunEvent]]:
    """The id of the flow run, and all events of the run."""
    await engine.client().wait_ready(30)
    async with prepared(engine.client(), asked) as run:
        await run.go()
        return run.flow_run_id, [event async for event in run.events()]


def further(
    asked: RunRequest, flow_run_id: str, events: list[RunEvent], decision: Decision = "approved"
) -> RunRequest:
    """The run after the first decision."""
    assert isinstance(asked.plan, WorkflowPlan)
    kept = tuple(event.checkpoint for event in events if isinstance(event, StepCheckpoint))
    last = events[-1]
    assert isinstance(last, RunSuspended)
    approval = last.approvals[0]
    output = decided(asked.plan.steps[approval.index - 1], decision, "ada", "fine", {})
    decision_kept = Checkpoint(approval.index, approval.name, "approval", output)
    return replace(
        asked, checkpoints=(*kept, decision_kept), flow_run_id=flow_run_id, suspended=True
    )


def state(server: PrefectServer, flow_run_id: str) -> tuple[str, str, str]:
    state = flow_run(server, flow_run_id)["state"]
    return state["type"], state["name"], state["message"]


async def shown(server: PrefectServer, flow_run_id: str, name: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        run = flow_run(server, flow_run_id)
        return run if run["state_name"] == name else None

    return await asyncio.to_thread(eventually, look)


async def tagged(server: PrefectServer, flow_run_id: str, *, is_waiting: bool) -> None:
    """Wait until the flow run has the tag, or no longer has it: the engine changes it after the
    state."""

    def look() -> bool:
        return ("waiting" in flow_run(server, flow_run_id)["tags"]) == is_waiting

    await asyncio.to_thread(eventually, look)


async def test_all_independent_steps_end_before_the_run_waits(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    asked = replace(workflow(STEPS), page_url=PAGE)
    flow_run_id, events = await executed(engine, asked)
    assert events[-1] == RunSuspended((ApprovalAsked(2, "ask", "Send *Dear Ada*?"),))
    kept = [event.checkpoint for event in events if isinstance(event, StepCheckpoint)]
    assert {checkpoint.name for checkpoint in kept} == {"draft", "other", "more"}
    message = f"Waits for a decision on step 2 (ask); decide at {PAGE}"
    assert state(prefect_server, flow_run_id) == ("PAUSED", "Suspended", message)
    await tagged(prefect_server, flow_run_id, is_waiting=True)


async def test_the_same_flow_run_continues_after_a_decision(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    asked = workflow(STEPS)
    flow_run_id, events = await executed(engine, asked)
    again, more = await executed(engine, further(asked, flow_run_id, events))
    assert again == flow_run_id
    assert more[-1] == RunFinished("ok", "BESIDE")
    run = await shown(prefect_server, flow_run_id, "Completed")
    assert run["run_count"] == 2
    await tagged(prefect_server, flow_run_id, is_waiting=False)
    tasks = await asyncio.to_thread(task_runs, prefect_server, flow_run_id, 8)
    assert {
        (task["name"], task["state_name"]) for task in tasks if task["flow_run_run_count"] == 2
    } == {
        ("draft", "Cached"),
        ("ask", "Approved"),
        ("send", "Completed"),
        ("other", "Cached"),
        ("more", "Cached"),
    }
