"""Runs through a real engine process against a real Prefect server."""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from harness.engine import READY_SECONDS, EngineProcess, prepared, request, run_to_end, under_way
from harness.held_model import held_model
from harness.prefect_runs import ended_flow_run, flow_run, task_runs, until_state
from harness.prefect_server import PrefectServer
from harness.processes import eventually
from harness.vendors import Answer, fake_vendor, openai
from promptops_flows.protocol.engine_client import (
    Began,
    EngineRefused,
    RunFinished,
    StepCheckpoint,
    StepFinished,
    StepStarted,
)
from promptops_providers.protocol import Usage

SECRET = "sk-1234-very-secret"
REFUSED_KEY = openai.error(401, f"bad key {SECRET}", "invalid_request_error", "invalid_api_key")
SLOW = {"name": "slow", "type": "model", "model": "mock-slow-400ms"}


def is_gone(server: PrefectServer, flow_run_id: str) -> bool:
    with server.client() as client:
        return client.get(f"flow_runs/{flow_run_id}").status_code == 404


async def test_a_run_returns_its_output_and_trace(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    record = await run_to_end(engine.client(), request())
    assert record.result == RunFinished("ok", output="[MOCK COMPLETION] HELLO ADA")
    steps = [StepStarted, StepCheckpoint, StepFinished] * 3
    assert [type(event) for event in record.events] == [Began, *steps, RunFinished]
    first, call, last = record.steps
    assert (first.index, first.name, first.type, first.output) == (
        1,
        "greet",
        "render",
        "Hello Ada",
    )
    assert (call.provider, call.model) == ("mock", "mock-1")
    assert call.usage == Usage(3, 7, estimated=True)
    assert (first.input, call.input, last.input) == ("", first.output, call.output)
    assert (first.stop_reason, call.stop_reason) == (None, "end")
    assert last.output == record.result.output
    assert {step.state for step in record.steps} == {"Completed"}
    assert {step.attempts for step in record.steps} == {1}
    assert {step.error for step in record.steps} == {None}


async def test_a_step_reports_its_start_in_utc_and_its_duration(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    began = time.monotonic()
    record = await run_to_end(engine.client(), request([SLOW]))
    most = (time.monotonic() - began) * 1000
    (step,) = record.steps
    assert datetime.fromisoformat(step.started_at).utcoffset() == timedelta(0)
    assert 390 <= step.duration_ms <= most


async def test_prefect_shows_flow_run_and_steps_by_their_names(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    asked = request(workspace="acme", tags=("team:red",), api_key=SECRET)
    record = await run_to_end(engine.client(), asked)
    run = ended_flow_run(prefect_server, record.flow_run_id)
    assert run["name"] == "greeting · 3f2a1c"
    assert run["flow_version"] == "7"
    tag = f"engine:{engine.engine_id}"
    assert set(run["tags"]) == {"promptops", "workflow", "workspace:acme", tag, "team:red"}
    assert run["parameters"] == {"name": "Ada"}
    assert (run["state_name"], run["state"]["message"]) == ("Completed", "Steps completed: 3")
    with prefect_server.client() as client:
        assert client.get(f"flows/{run['flow_id']}").json()["name"] == "acme:greeting"
    tasks = task_runs(prefect_server, record.flow_run_id, 3)
    assert [task["name"] for task in tasks] == ["greet", "call", "loud"]
    behind = [[item["id"] for item in task["task_inputs"].get("wait_for", [])] for task in tasks]
    assert behind == [[], [tasks[0]["id"]], [tasks[1]["id"]]]


async def test_the_default_workspace_is_not_in_the_flow_name(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    record = await run_to_end(engine.client(), request([], key="plain-key"))
    assert record.result == RunFinished("ok", output="")
    with prefect_server.client() as client:
        flow_id = flow_run(prefect_server, record.flow_run_id)["flow_id"]
        assert client.get(f"flows/{flow_id}").json()["name"] == "plain-key"


async def test_a_failed_step_ends_the_run_in_prefect_too(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    steps = [
        {"type": "render", "template": "a"},
        {"name": "call", "type": "model", "model": "mock-fail-rate-limited"},
        {"type": "transform", "op": "upper"},
    ]
    record = await run_to_end(engine.client(), request(steps))
    sentence = "provider mock: too many requests, try again in 1 second"
    assert record.result == RunFinished("error", error=f"step 2 (call): {sentence}")
    assert [(step.name, step.state) for step in record.steps] == [
        ("", "Completed"),
        ("call", "Failed"),
    ]
    failed = record.steps[1]
    assert (failed.error, failed.output) == (sentence, None)
    assert (failed.provider, failed.model) == ("mock", "mock-fail-rate-limited")
    state = ended_flow_run(prefect_server, record.flow_run_id)["state"]
    assert (state["name"], state["message"]) == ("Failed", f"step 2 (call): {sentence}")
    tasks = task_runs(prefect_server, record.flow_run_id, 2)
    assert [(task["name"], task["state_name"]) for task in tasks] == [
        ("render", "Completed"),
        ("call", "Failed"),
    ]


async def test_steps_without_a_name_are_named_after_their_type(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    record = await run_to_end(engine.client(), request([{"type": "model", "provider": "openai"}]))
    sentence = "provider openai: no API key is given"
    assert record.result.error == f"step 1 (model): {sentence}"


async def test_a_model_is_called_at_the_runs_address_with_its_key(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    step = {"type": "model", "provider": "openai", "model": "m-1"}
    async with fake_vendor(Answer.of_json(openai.chat()), REFUSED_KEY) as vendor:
        asked = request([step, step], api_key=SECRET, base_url=vendor.url)
        record = await run_to_end(engine.client(), asked)
    assert record.steps[0].output == "Grüße, 世界!"
    assert record.steps[0].usage == Usage(19, 10, estimated=False, cached_tokens=8)
    assert vendor.seen.headers["authorization"] == f"Bearer {SECRET}"
    assert vendor.connections == 1
    assert record.result.error == (
        "step 2 (model): provider openai: the API key was refused (bad key [redacted])"
    )


async def test_a_model_is_not_called_at_an_address_that_is_not_allowed(
    engine: EngineProcess,
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    step = {"type": "model", "provider": "ollama"}
    asked = request([step], base_url="http://169.254.169.254/")
    record = await run_to_end(engine.client(), asked)
    assert record.result.error == (
        "step 1 (model): provider ollama: host 169.254.169.254 is never called: "
        "it is not the address of a server"
    )


async def test_no_secret_and_no_text_of_a_run_reaches_prefect_or_the_log(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    echo = {"name": f"n {SECRET}", "type": "model", "model": "mock-echo"}
    steps = [{"type": "render", "template": "a private text"}, echo]
    asked = request(steps, variables={"key": SECRET}, api_key=SECRET)
    record = await run_to_end(engine.client(), asked)
    assert record.result.output == "a private text"
    task_runs(prefect_server, record.flow_run_id, 2)
    stored = b"".join(path.read_bytes() for path in prefect_server.data.rglob("prefect.db*"))
    assert b"greeting" in stored
    for text in (SECRET.encode(), b"a private text"):
        assert text not in stored
        assert text not in engine.log.read_bytes()


async def test_hanging_up_after_go_does_not_stop_the_run(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with held_model() as model:
        async with under_way(engine.client(), model.request) as (flow_run_id, _):
            pass

        model.hold.release()
        await until_state(prefect_server, "Completed", flow_run_id)


async def test_a_run_that_was_never_started_leaves_nothing(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with prepared(engine.client(), request()) as run:
        assert flow_run(prefect_server, run.flow_run_id)["state_name"] == "Pending"
        assert run.flow_run_url is not None
        assert run.flow_run_id in run.flow_run_url
    assert await asyncio.to_thread(eventually, lambda: is_gone(prefect_server, run.flow_run_id))


async def test_outputs_of_megabytes_and_unusual_texts_pass(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    big = "ä\ud800\0" * 340_000
    steps = [{"name": "{x} \0", "type": "render", "template": "{{big}}"}]
    record = await run_to_end(engine.client(), request(steps, variables={"big": big, "\0": [1]}))
    assert record.result.output == big
    assert record.steps[0].name == "{x} \0"


async def test_a_definition_that_cant_run_is_refused(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    with pytest.raises(EngineRefused, match="invalid character"):
        await engine.client().start(request(key="a/b"))


@pytest.mark.parametrize("depth", [300, 900, 100_000])
async def test_deeply_nested_variables_run_or_are_refused(
    engine: EngineProcess, depth: int
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    steps = [{"type": "render", "template": "{{nested}}"}]
    asked = request(steps, variables={"nested": nested})
    try:
        record = await run_to_end(engine.client(), asked)
    except EngineRefused as error:
        refusal = error.reason
    else:
        assert record.result.output == "[" * (depth + 1) + "]" * (depth + 1)
        refusal = "nested too deeply"
    assert "nested too deeply" in refusal


@pytest.mark.trial
async def test_forty_runs_at_once_all_succeed(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    runs = (
        run_to_end(engine.client(), request(run_id=f"run-{number:06d}")) for number in range(40)
    )
    records = await asyncio.gather(*runs)
    assert {record.result.status for record in records} == {"ok"}
    assert len({record.flow_run_id for record in records}) == 40


async def test_a_run_removed_in_prefect_before_go_did_not_execute(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with prepared(engine.client(), request()) as run:
        with prefect_server.client() as client:
            client.delete(f"flow_runs/{run.flow_run_id}").raise_for_status()
        await run.go()
        _, event = [event async for event in run.events()]
    assert isinstance(event, RunFinished)
    assert event.state == "crashed"
    assert event.error is not None
    assert event.error.startswith("Prefect failed before the run ended")
