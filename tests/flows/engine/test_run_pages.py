"""The log on a flow run's page in Prefect."""

import asyncio
from dataclasses import replace
from typing import Any

from harness.engine import READY_SECONDS, EngineProcess, request, run_to_end, workflow
from harness.prefect_server import PrefectServer
from harness.processes import eventually
from promptops_flows.steps.plans import WorkflowPlan
from promptops_flows.steps.step import Step
from promptops_flows.steps.targets import DefinitionTarget
from promptops_flows.steps.workflow import RunWorkflow
from promptops_flows.telemetry.text_policy import TextPolicy

PAGE = "http://127.0.0.1:8080/w/default/runs/0f3c5d7e9a3f2a1c"
INFO, ERROR = 20, 40


def lines(server: PrefectServer, flow_run_id: str, count: int) -> list[tuple[int, str]]:
    """Level and text of the lines, without durations."""
    filters = {"logs": {"flow_run_id": {"any_": [flow_run_id]}}, "sort": "TIMESTAMP_ASC"}

    def look() -> list[dict[str, Any]] | None:
        with server.client() as client:
            logs: list[dict[str, Any]] = client.post("logs/filter", json=filters).json()
        return logs if len(logs) == count else None

    return [(line["level"], line["message"]) for line in eventually(look)]


def without_times(logs: list[tuple[int, str]]) -> list[tuple[int, str]]:
    return [(level, text.rpartition(", ")[0] or text) for level, text in logs]


async def test_each_step_has_a_line_and_the_first_links_to_the_run(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    record = await run_to_end(engine.client(), request(page_url=PAGE))
    logs = await asyncio.to_thread(lines, prefect_server, record.flow_run_id, 5)
    assert without_times(logs) == [
        (INFO, f"Run 0f3c5d7e9a3f2a1c: {PAGE}"),
        (INFO, "Step 1 (greet): Completed"),
        (INFO, "Step 2 (call): Completed"),
        (INFO, "Step 3 (loud): Completed"),
        (INFO, "Steps completed: 3"),
    ]


async def test_a_failed_run_shows_the_reason(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    step = {"name": "read a@example.org", "type": "transform", "op": "json"}
    texts = TextPolicy(kinds=("email",))
    record = await run_to_end(engine.client(), request([step], texts=texts))
    logs = await asyncio.to_thread(lines, prefect_server, record.flow_run_id, 3)
    assert [level for level, _ in logs] == [INFO, ERROR, ERROR]
    assert logs[0][1] == "Run 0f3c5d7e9a3f2a1c"
    assert logs[1][1].startswith("Step 1 (read [redacted:email]): Failed, 0.")
    assert logs[2][1].startswith("Failed: step 1 (read [redacted:email]): ")
    assert "is not JSON" in logs[2][1]


async def test_the_page_of_an_inner_run_links_to_the_run(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    inner = workflow([{"name": "up", "type": "transform", "op": "upper"}]).plan
    assert isinstance(inner, WorkflowPlan)
    step = Step("sub", RunWorkflow(DefinitionTarget("inner-page"), None, inner))
    asked = replace(workflow([]), plan=WorkflowPlan((step,)), page_url=PAGE)
    assert (await run_to_end(engine.client(), asked)).result.status == "ok"
    with prefect_server.client() as client:
        body = {"flows": {"name": {"any_": ["inner-page"]}}}
        (flow_run,) = client.post("flow_runs/filter", json=body).raise_for_status().json()
    logs = await asyncio.to_thread(lines, prefect_server, flow_run["id"], 2)
    assert logs == [(INFO, f"Part of run {asked.run_id}: {PAGE}"), (INFO, "Steps completed: 1")]
