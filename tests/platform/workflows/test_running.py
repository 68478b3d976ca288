"""Running workflows through a real engine and a real Prefect server."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.events import SentEvent, events_of
from harness.held_model import held_model
from harness.platform import (
    WAIT_SECONDS,
    RunningPlatform,
    new_key,
    new_settings,
    running_platform,
    until,
    until_found,
)
from harness.postgres import Postgres
from harness.prefect_runs import ended_flow_run
from harness.prefect_server import PrefectServer
from harness.workflows import running
from promptops_flows.protocol.engine_protocol import Ping, Ready, decode, encode
from promptops_platform.runlog.service import RunLog

__all__ = ["running"]

GREET = {"name": "greet", "type": "render", "template": "  Hello {{who}}, {{who}}! "}
TRIM = {"name": "trim", "type": "transform", "op": "trim"}
CALL = {"name": "call", "type": "model", "provider": "mock"}


async def run(
    platform: RunningPlatform, steps: list[dict[str, Any]], **body: Any
) -> httpx.Response:
    key = new_key()
    saved = await platform.http.post("/api/workflows", json={"key": key, "steps": steps})
    workflow = saved.json()["data"]["id"]
    return await platform.http.post(f"/api/workflows/{workflow}/run", json=body or None)


async def detail(platform: RunningPlatform, run_id: str) -> dict[str, Any]:
    run: dict[str, Any] = (await platform.http.get(f"/api/runs/{run_id}")).json()["data"]
    return run


async def test_a_run_answers_output_and_trace(running: RunningPlatform) -> None:
    answer = await run(running, [GREET, TRIM, CALL], variables={"who": "Ada"})
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert result["output"] == "[mock completion] Hello Ada, Ada!"
    assert list(result)[:2] == ["output", "steps"]
    assert list(result["steps"][0])[:3] == ["name", "type", "output"]
    assert [(step["name"], step["type"], step["output"]) for step in result["steps"]] == [
        ("greet", "render", "  Hello Ada, Ada! "),
        ("trim", "transform", "Hello Ada, Ada!"),
        ("call", "model", "[mock completion] Hello Ada, Ada!"),
    ]
    for step in result["steps"]:
        assert (step["state"], step["attempts"]) == ("Completed", 1)
        assert step["duration"] >= 0
        assert step["start"].endswith("Z")


async def test_the_run_log_has_what_the_answer_had(running: RunningPlatform) -> None:
    result = (await run(running, [GREET, CALL], variables={"who": "x"})).json()
    logged = await detail(running, result["run_id"])
    assert (logged["status"], logged["source"], logged["error"]) == ("ok", "workflow", "")
    assert (logged["provider"], logged["output"]) == ("mock", result["output"])
    assert logged["flow_run_id"] == result["flow_run_id"]
    assert logged["flow_run_url"] == result["flow_run_url"]
    assert logged["prompt_tokens"] > 0
    assert logged["output_tokens"] > 0
    assert [step["output"] for step in logged["steps"]] == [
        step["output"] for step in result["steps"]
    ]
    assert (logged["user"], logged["inputs"]) == (
        "admin",
        {"variables": {"who": "x"}, "version": "1"},
    )
    assert [step["input"] for step in logged["steps"]] == ["", result["steps"][0]["output"]]
    call = logged["steps"][1]
    assert (call["stop_reason"], call["usage_estimated"], call["cost_usd"]) == ("end", True, 0)
    assert (logged["usage_estimated"], logged["cost_usd"]) == (True, 0)
    newest = (await running.http.get("/api/runs?limit=1")).json()
    assert newest["data"][0]["id"] == result["run_id"]
    assert list(newest["data"][0])[:11] == [
        "id",
        "source",
        "ref_key",
        "provider",
        "model",
        "prompt_tokens",
        "output_tokens",
        "latency_ms",
        "status",
        "error",
        "created_at",
    ]


async def test_prefect_shows_the_run_as_it_was(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    result = (await run(running, [GREET, TRIM], variables={"who": "Ada"})).json()
    flow_run = ended_flow_run(prefect_server, result["flow_run_id"])
    assert flow_run["state"]["type"] == "COMPLETED"
    assert {"promptops", "workflow"} <= set(flow_run["tags"])
    assert result["flow_run_url"].endswith(result["flow_run_id"])


@pytest.mark.parametrize("body", [{}, {"variables": None}, {"variables": {}, "api_key": ""}])
async def test_variables_may_be_left_out(running: RunningPlatform, body: dict[str, Any]) -> None:
    result = (await run(running, [TRIM, GREET], **body)).json()
    assert result["output"] == GREET["template"]


async def test_an_empty_workflow_answers_an_empty_text(running: RunningPlatform) -> None:
    result = (await run(running, [])).json()
    assert (result["output"], result["steps"]) == ("", [])


async def test_a_step_without_a_name_is_answered_without(running: RunningPlatform) -> None:
    result = (await run(running, [{"type": "render", "template": "x"}, TRIM, TRIM])).json()
    assert [step["name"] for step in result["steps"]] == ["", "trim", "trim"]


async def test_a_failing_step_is_a_502_that_names_it(running: RunningPlatform) -> None:
    fails = {"name": "call", "type": "model", "model": "mock-fail-refused"}
    answer = await run(running, [GREET, fails, TRIM], variables={"who": "x"})
    assert answer.status_code == 502
    failed = answer.json()
    assert failed["error"].startswith("step 2 (call): ")
    assert [step["state"] for step in failed["steps"]] == ["Completed", "Failed"]
    logged = await detail(running, failed["run_id"])
    assert (logged["status"], logged["error"]) == ("error", failed["error"])
    assert logged["steps"][1]["error"]
    stats = (await running.http.get("/api/runs/stats")).json()
    assert stats["error"] >= 1
    assert stats["total"] == stats["ok"] + stats["error"]
    assert stats["by_provider"][0]["provider"] == "mock"


@pytest.mark.parametrize("variables", [[], "x", 5, {"a": "\u0000"}, {"a": {"b": ["\u001b"]}}])
async def test_bad_variables_are_a_400(running: RunningPlatform, variables: Any) -> None:
    before = (await running.http.get("/api/runs?limit=1")).json()["total"]
    answer = await run(running, [GREET], variables=variables)
    assert answer.status_code == 400
    assert "variables" in answer.json()["error"]
    assert (await running.http.get("/api/runs?limit=1")).json()["total"] == before


async def test_variables_of_all_json_types_are_rendered(running: RunningPlatform) -> None:
    template = "{{t}} {{n}} {{f}} {{o}} {{l}} {{z}} {{big}}"
    variables = {
        "t": True,
        "n": 10**21,
        "f": 1e-7,
        "o": {"ä": [1, None]},
        "l": [],
        "z": None,
        "big": 2**60,
    }
    step = {"name": "r", "type": "render", "template": template}
    result = (await run(running, [step], variables=variables)).json()
    assert result["output"] == 'true 1e+21 1e-7 {"ä":[1,null]} [] {{z}} 1152921504606847000'


@pytest.mark.trial
async def test_twenty_runs_at_once_all_succeed(running: RunningPlatform) -> None:
    runs = [run(running, [GREET, TRIM], variables={"who": str(n)}) for n in range(20)]
    answers = await asyncio.gather(*runs)
    assert [answer.json()["output"] for answer in answers] == [
        f"Hello {n}, {n}!" for n in range(20)
    ]
    ids = {answer.json()["run_id"] for answer in answers}
    assert len(ids) == 20


async def test_a_client_that_hangs_up_does_not_kill_its_run(running: RunningPlatform) -> None:
    key = new_key()

    async def own(status: str) -> list[dict[str, Any]]:
        listed = (await running.http.get("/api/runs", params={"status": status})).json()["data"]
        return [run for run in listed if run["ref_key"] == key]

    async with held_model() as model:
        body = {"key": key, "steps": [model.step]}
        saved = await running.http.post("/api/workflows", json=body)
        url = f"/api/workflows/{saved.json()['data']['id']}/run"
        asked = asyncio.create_task(running.http.post(url, json=model.access))
        await model.is_asked()
        asked.cancel()
        await asyncio.wait([asked])
        assert len(await own("running")) == 1
        model.hold.release()
        await until_found(lambda: own("ok"))
    assert await own("running") == await own("error") == []


async def test_without_an_engine_a_run_is_a_503_and_nothing_is_recorded(
    platform: RunningPlatform,
) -> None:
    async def recorded() -> list[Any]:
        return [
            (await platform.http.get("/api/runs", params=query)).json()["total"]
            for query in ({}, {"status": "running"})
        ]

    before = await recorded()
    answer = await run(platform, [GREET])
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "engine" in answer.json()["error"]
    assert await recorded() == before


async def test_a_fault_while_following_a_run_closes_it(
    running: RunningPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_arguments: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(RunLog, "add_step", fails)
    before = (await running.http.get("/api/runs?status=error")).json()["total"]
    answer = await run(running, [GREET])
    assert answer.status_code == 500
    assert (await running.http.get("/api/runs?status=running")).json()["total"] == 0
    assert (await running.http.get("/api/runs?status=error")).json()["total"] == before + 1


async def test_the_outputs_of_a_run_are_bounded_together(running: RunningPlatform) -> None:
    """Each step stays below its own bound; a workflow of many steps must not fill the memory."""
    grow = {"name": "grow", "type": "render", "template": "{{x}}"}
    trims = [{"name": f"trim {number}", "type": "transform", "op": "trim"} for number in range(12)]
    answer = await run(running, [grow, *trims], variables={"x": "x" * 1_000_000})
    assert answer.status_code == 502
    assert answer.json()["error"].startswith("step 9 (trim 7): the steps' outputs are longer than")


async def test_an_engine_that_stalls_is_waited_for_hardly_longer_than_configured(
    postgres: Postgres, data_folder: Path
) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Be ready, and don't answer to a run."""
        if isinstance(decode(await reader.readline()), Ping):
            writer.write(encode(Ready()))
        await reader.read()
        writer.close()

    settings = await new_settings("sqlite", postgres, data_folder, engine_wait_seconds=0.5)
    async with (
        await asyncio.start_unix_server(stall, settings.engine_socket),
        running_platform(settings) as platform,
    ):
        began = time.monotonic()
        answer = await run(platform, [GREET])
        assert time.monotonic() - began < 20
        assert answer.status_code == 503
        assert "did not prepare the run within" in answer.json()["error"]


async def test_a_run_that_waits_for_an_engine_does_not_hold_up_a_stop(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("sqlite", postgres, data_folder, engine_wait_seconds=60)
    async with running_platform(settings) as platform:
        waiting = asyncio.create_task(run(platform, [GREET]))
        await until(lambda: bool(platform.platform.execution.executor.active))
        await asyncio.wait_for(platform.platform.execution.drain(60), WAIT_SECONDS)
        answer = await waiting
        assert answer.status_code == 503
        assert "stopping" in answer.json()["error"]
        assert (await platform.http.get("/api/runs?status=running")).json()["total"] == 0


async def test_a_run_whose_workspace_is_deleted_meanwhile_is_answered(
    running: RunningPlatform,
) -> None:
    made = await running.http.post("/api/workspaces", json={"name": new_key()})
    workspace = made.json()["data"]["id"]
    async with held_model() as model:
        body = {"key": new_key(), "steps": [model.step, TRIM], "workspace": workspace}
        workflow = (await running.http.post("/api/workflows", json=body)).json()["data"]["id"]
        url = f"/api/workflows/{workflow}/run"
        answering = asyncio.create_task(running.http.post(url, json=model.access))
        await model.is_asked()
        deleted = await running.http.delete(f"/api/workspaces/{workspace}?force=true")
        assert deleted.status_code == 200, deleted.text
        model.hold.release()
        answer = await answering
    assert answer.status_code == 200, answer.text
    assert [step["state"] for step in answer.json()["steps"]] == ["Completed", "Completed"]
    gone = await running.http.get(f"/api/runs/{answer.json()['run_id']}")
    assert gone.status_code == 404


async def test_a_run_is_followed_step_by_step(running: RunningPlatform) -> None:
    events = await streamed(running, [GREET, TRIM, CALL], variables={"who": "Ada"})
    names = [event.name for event in events]
    assert names[0] == "start"
    assert names[-1] == "result"
    assert names.count("step_started") == names.count("step") == 3
    assert names.index("step_started") < names.index("step")
    steps = [event.data for event in events if event.name == "step"]
    assert [(step["step"], step["name"]) for step in steps] == [
        (1, "greet"),
        (2, "trim"),
        (3, "call"),
    ]
    assert steps[1]["output"] == "Hello Ada, Ada!"
    pieces = [event.data for event in events if event.name == "delta"]
    assert {piece["step"] for piece in pieces} == {3}
    assert "".join(piece["text"] for piece in pieces) == steps[2]["output"]
    assert events[-1].data["run_id"] == events[0].data["run_id"]
    assert events[-1].data["steps"][1]["output"] == "Hello Ada, Ada!"


async def test_a_run_that_fails_says_so_at_the_end_of_its_events(running: RunningPlatform) -> None:
    call = {**CALL, "model": "mock-fail-refused"}
    events = await streamed(running, [GREET, call], variables={"who": "Ada"})
    assert [event.name for event in events][-1] == "error"
    assert "step 2 (call)" in events[-1].data["error"]
    (failed,) = [event.data for event in events if event.name == "step" and event.data["error"]]
    assert failed["step"] == 2


async def streamed(
    platform: RunningPlatform, steps: list[dict[str, Any]], **body: Any
) -> list[SentEvent]:
    saved = await platform.http.post("/api/workflows", json={"key": new_key(), "steps": steps})
    url = f"/api/workflows/{saved.json()['data']['id']}/run"
    async with platform.http.stream("POST", url, json={**body, "stream": True}) as answer:
        assert answer.status_code == 200
        return [event async for event in events_of(answer)]
