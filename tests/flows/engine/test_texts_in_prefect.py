"""What may not be stored stays out of Prefect's files and the engine's log, also for runs that
wait, are cancelled, are retried as the same flow run, or reuse checkpoints."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from harness.engine import (
    READY_SECONDS,
    RunRecord,
    going,
    prepared,
    request,
    run_to_end,
    running_engine,
)
from harness.prefect_runs import task_runs
from harness.prefect_server import PrefectServer
from harness.private_texts import Marks, files_with
from harness.processes import WAIT_SECONDS, eventually
from harness.vendors import Answer, fake_vendor, openai
from promptops_flows.protocol.engine_client import RunFinished, RunRequest
from promptops_flows.protocol.engine_protocol import StepCheckpoint
from promptops_flows.protocol.run_request import Checkpoint
from promptops_flows.telemetry.text_policy import KINDS, TextPolicy

POLICIES: Mapping[str, TextPolicy] = {
    "none": TextPolicy(texts="none"),
    "redact": TextPolicy(kinds=tuple(KINDS), patterns=("CUST-[0-9]+",)),
}


def forbidden(policy: str, marks: Marks) -> tuple[str, ...]:
    texts = (marks.card, marks.key, marks.customer, marks.own_key)
    return (*texts, marks.text) if policy == "none" else (*texts, marks.email)


def asked(policy: str, marks: Marks, url: str) -> RunRequest:
    """A run with a step that outputs all texts, and one with a vendor's answer."""
    steps = [
        {"name": "say", "type": "render", "template": "Say {{city}} {{card}}"},
        {"name": "call", "type": "model", "provider": "openai-compatible", "model": "m"},
    ]
    fields = {"texts": POLICIES[policy], "variables": marks.variables}
    return request(steps, key=f"private-{policy}", api_key=marks.own_key, base_url=url, **fields)


def checkpoints(record: RunRecord) -> tuple[Checkpoint, ...]:
    return tuple(event.checkpoint for event in record.events if isinstance(event, StepCheckpoint))


@pytest.mark.parametrize("policy", POLICIES)
async def test_no_text_of_cancelled_and_retried_runs_is_stored(
    policy: str, prefect_server: PrefectServer
) -> None:
    marks = Marks(policy)
    refused = openai.error(400, f"no: {marks.all} {marks.own_key}", "invalid_request_error")
    held, hold = Answer.of_json(openai.chat(marks.all)).held_after(0)
    with running_engine(prefect_server.api_url, prefect_server.auth, concurrency=1) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        async with fake_vendor(refused, Answer.of_json(openai.chat(marks.all)), held) as vendor:
            plain = asked(policy, marks, vendor.url)
            failed = await run_to_end(engine.client(), plain)
            assert failed.result.status == "error"
            reuse = {"checkpoints": checkpoints(failed), "flow_run_id": failed.flow_run_id}
            retried = await run_to_end(engine.client(), replace(plain, **reuse))
            assert retried.result.status == "ok"
            assert [step.reused for step in retried.steps] == [True, False]
            async with (
                going(engine.client(), plain) as (running, events),
                prepared(engine.client(), plain) as queued,
            ):
                await queued.go()
                await asyncio.wait_for(hold.reached.wait(), WAIT_SECONDS)
                for run in (queued, running):
                    await run.cancel(marks.email)
                ends = (
                    [event async for event in events][-1],
                    [event async for event in queued.events()][-1],
                )
        for end in ends:
            assert isinstance(end, RunFinished)
            assert end.state == "cancelled"
        flow_runs = [failed.flow_run_id, running.flow_run_id, queued.flow_run_id]
        await asyncio.to_thread(all_shown, prefect_server, flow_runs)
        task_runs(prefect_server, failed.flow_run_id, 4)
        task_runs(prefect_server, running.flow_run_id, 2)
        folders = [prefect_server.data, engine.log.parent]
        assert files_with(folders, *forbidden(policy, marks)) == {}
        # Shows that the search finds texts that may be there.
        assert "prefect.db" in str(files_with(folders, f"private-{policy}"))


def all_shown(server: PrefectServer, flow_runs: list[str]) -> None:
    """Wait until Prefect has stored the end of each run, and its log."""

    def look() -> bool:
        with server.client() as client:
            runs = {"flow_runs": {"id": {"any_": flow_runs}}}
            states = [
                run["state_name"] for run in client.post("flow_runs/filter", json=runs).json()
            ]
            logs = {"logs": {"flow_run_id": {"any_": flow_runs}}}
            lines = client.post("logs/filter", json=logs).json()
        ends = [line for line in lines if "Cancelled by" in line["message"]]
        return sorted(states) == ["Cancelled", "Cancelled", "Completed"] and len(ends) == 2

    eventually(look)
