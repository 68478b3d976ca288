"""What the log keeps of a run that is one model call, of its cost, and of its texts."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio

from harness.people import new_user, new_workspace
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from harness.runs import detail, logged, model_call, new_run, open_run, record
from promptops_flows.protocol.engine_client import RunFinished, StepFinished
from promptops_platform.clock import FakeClock
from promptops_providers.protocol import Usage


@pytest_asyncio.fixture(scope="module")
async def own(database_kind: DatabaseKind, postgres: Postgres) -> AsyncIterator[RunningPlatform]:
    """A platform whose log no other test reads."""
    settings = await new_settings(database_kind, postgres, new_data_folder())
    async with running_platform(settings) as platform:
        yield platform


def step(index: int, provider: str | None = None, **fields: object) -> StepFinished:
    defaults = {"name": f"step {index}", "type": "model" if provider else "render"}
    model = {"provider": provider, "model": "gpt-5"} if provider else {}
    return StepFinished(
        **{  # type: ignore[arg-type]
            **defaults,
            **model,
            "index": index,
            "state": "Completed",
            "started_at": "2026-11-01T00:00:00+00:00",
            "duration_ms": 1,
            "attempts": 1,
            "output": "x",
            **fields,
        }
    )


async def test_a_call_is_logged_whole(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    clock = FakeClock()
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings, clock) as platform:
        run = new_run(
            ref_key="greeting",
            user="ada",
            inputs={"variables": {"who": "Ada"}, "prompt": {"key": "greeting", "version": "v1"}},
            provider="openai",
            model="gpt-5-mini",
            started_at=clock.now(),
        )
        clock.advance(timedelta(milliseconds=1234))
        usage = Usage(1000, 500, estimated=False, cached_tokens=400)
        call = model_call(
            provider="openai",
            model="gpt-5-mini-2025-08-07",
            usage=usage,
            stop_reason="end",
            input="Hello Ada",
            first_token_ms=321,
            ended_at=clock.now(),
        )
        clock.advance(timedelta(milliseconds=50))
        await record(platform, run, call)
        run_shown = await detail(platform, run.id)
        assert run_shown["inputs"] == run.inputs
        assert {
            "status": "ok",
            "source": "playground",
            "ref_key": "greeting",
            "user": "ada",
            "model": "gpt-5-mini-2025-08-07",
            "prompt_tokens": 1000,
            "cached_tokens": 400,
            "output_tokens": 500,
            "usage_estimated": False,
            "stop_reason": "end",
            "latency_ms": 1234,
            "first_token_ms": 321,
            "output": "an answer",
            "flow_run_id": None,
            "flow_run_url": None,
            "price_version": platform.platform.runlog.prices.version,
        }.items() <= run_shown.items()
        assert run_shown["cost_usd"] == (600 * 0.25 + 400 * 0.025 + 500 * 2) / 10**6
        (only,) = run_shown["steps"]
        assert (only["name"], only["type"], only["state"]) == ("call", "model", "Completed")
        assert (only["input"], only["output"], only["duration"]) == (
            "Hello Ada",
            "an answer",
            1.234,
        )
        assert only["price"]["input"] == 0.25
        assert only["cost_usd"] == run_shown["cost_usd"]
        (listed,) = (await platform.http.get("/api/runs")).json()["data"]
        assert listed.items() <= run_shown.items()


async def test_a_call_that_failed(own: RunningPlatform) -> None:
    failed = model_call(usage=None, output=None, error="too many requests")
    run_shown = await detail(own, await logged(own, call=failed))
    assert (run_shown["status"], run_shown["error"], run_shown["output"]) == (
        "error",
        "too many requests",
        "",
    )
    assert run_shown["steps"][0]["state"] == "Failed"
    assert run_shown["cost_usd"] == 0
    failed = model_call(provider="openai", model="gpt-5", usage=None, error="cut off", output="ha")
    run_shown = await detail(own, await logged(own, call=failed))
    assert (run_shown["cost_usd"], run_shown["output"]) == (None, "ha")


async def test_one_unknown_price_makes_the_whole_cost_unknown(own: RunningPlatform) -> None:
    for steps, cost, estimated in (
        ([step(1), step(2, "openai", usage=Usage(10**6, 0, estimated=False))], 1.25, False),
        ([step(1, "mock", usage=Usage(5, 5, estimated=True))], 0, True),
        ([step(1)], 0, False),
        (
            [
                step(1, "openai", usage=Usage(10**6, 0, estimated=False)),
                step(2, "elsewhere", usage=Usage(10**6, 0, estimated=False)),
            ],
            None,
            False,
        ),
    ):
        run = new_run(source="workflow")
        await open_run(own, run)
        async with own.platform.database.write() as transaction:
            for new_step in steps:
                await own.platform.runlog.log.add_step(transaction, run.id, new_step)
        async with own.platform.database.write() as transaction:
            await own.platform.runlog.log.close(transaction, run.id, RunFinished("ok", output="x"))
        run_shown = await detail(own, run.id)
        assert (run_shown["cost_usd"], run_shown["usage_estimated"]) == (cost, estimated)


async def test_names_that_no_index_could_hold_are_cut(own: RunningPlatform) -> None:
    long = "\U0001f600" * 5000
    call = model_call(provider="p" * 100, model=long, stop_reason="r" * 100)
    run_shown = await detail(own, await logged(own, new_run(model=long, user="u" * 300), call))
    assert (len(run_shown["model"]), len(run_shown["provider"]), len(run_shown["user"])) == (
        200,
        64,
        200,
    )


async def test_a_call_whose_workspace_went_is_let_go(own: RunningPlatform) -> None:
    workspace = await new_workspace(own)
    run = new_run(workspace_id=workspace)
    await own.http.delete(f"/api/workspaces/{workspace}?force=true")
    await record(own, run, model_call())
    assert (await own.http.get(f"/api/runs/{run.id}")).status_code == 404


async def test_texts_are_redacted_in_the_log(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(
        database_kind, postgres, data_folder, run_redact="email", run_redact_patterns='["secret"]'
    )
    text = "secret of a@b.example"
    kept = "[redacted] of [redacted:email]"
    async with running_platform(settings) as platform:
        run = new_run(inputs={"variables": {"x": text}})
        call = model_call(input=text, output=text, error=text)
        run_shown = await detail(platform, await logged(platform, run, call))
        assert run_shown["inputs"] == {"variables": {"x": kept}}
        assert (run_shown["output"], run_shown["error"]) == (kept, kept)
        (only,) = run_shown["steps"]
        assert (only["input"], only["output"], only["error"]) == (kept, kept, kept)
        run = new_run(source="workflow")
        await open_run(platform, run)
        async with platform.platform.database.write() as transaction:
            await platform.platform.runlog.log.close(
                transaction, run.id, RunFinished("ok", output=text)
            )
        assert (await detail(platform, run.id))["output"] == kept


async def test_texts_can_be_left_out(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder, run_texts="none")
    async with running_platform(settings) as platform:
        call = model_call(input="in", output="out", error="why")
        run_shown = await detail(platform, await logged(platform, new_run(inputs={"a": 1}), call))
        assert (run_shown["inputs"], run_shown["output"], run_shown["error"]) == (None, "", "why")
        (only,) = run_shown["steps"]
        assert (only["input"], only["output"], only["error"]) == (None, None, "why")
        assert run_shown["prompt_tokens"] == 100


async def test_many_runs_that_end_at_once_are_all_counted(own: RunningPlatform) -> None:
    """Whatever they have in common, and in whatever order they touch it."""
    key = new_run().id
    calls = [
        model_call(provider=f"provider-{number % 3}", model=f"model-{number % 2}")
        for number in range(60)
    ]
    await asyncio.gather(
        *(logged(own, new_run(ref_key=f"{key}-{n % 2}"), call) for n, call in enumerate(calls))
    )
    for number in range(2):
        stats = (await own.http.get(f"/api/runs/stats?key={key}-{number}")).json()
        assert (stats["total"], stats["prompt_tokens"]) == (30, 3000)


async def test_a_user_of_a_workflow_run_is_named(own: RunningPlatform) -> None:
    """Who asked is the actor's name; a list finds it."""
    user = (await new_user(own, "viewer"))["username"]
    run_id = await logged(own, new_run(user=user))
    listed = (await own.http.get("/api/runs", params={"user": user})).json()
    assert [run["id"] for run in listed["data"]] == [run_id]
    assert listed["total"] == 1
