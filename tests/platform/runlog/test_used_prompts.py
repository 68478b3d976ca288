"""Which prompts of the registry runs and their steps used, and the figures of each."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from harness.runs import detail, logged, new_run, run_steps
from promptops_flows.protocol.engine_client import RunFinished, StepFinished
from promptops_platform.clock import FakeClock
from promptops_providers.protocol import PromptVersion, Usage

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
PERIOD = {"since": "2026-03-01T00:00:00Z", "until": "2026-03-03T00:00:00Z"}
A1, A2, A1_DEV = (
    PromptVersion("a", "prod", "v1", "A"),
    PromptVersion("a", "prod", "v2", "B"),
    PromptVersion("a", "dev", "v1"),
)
B1, C1 = PromptVersion("b", "prod", "v1"), PromptVersion("c", "prod", "v1")
# What the steps of each run used; some use a prompt twice, or two versions of it.
RUNS: tuple[tuple[tuple[PromptVersion, ...], ...], ...] = (
    ((A1,), (A1,)),
    ((A1,), (A2,)),
    ((A1,), (A1_DEV,)),
    ((A1, A2, A1_DEV), (B1,)),
    ((B1,), (C1,), (C1,)),
    ((A2,), (C1,)),
    ((), ()),
    ((A1_DEV,),),
)


def step(index: int, prompts: tuple[PromptVersion, ...] = (), **fields: Any) -> StepFinished:
    defaults = {"name": f"s{index}", "type": "render", "state": "Completed", "attempts": 1}
    times = {"started_at": START.isoformat(), "duration_ms": 1}
    return StepFinished(index=index, prompts=prompts, **{**defaults, **times, **fields})


@pytest_asyncio.fixture(scope="module")
async def own(database_kind: DatabaseKind, postgres: Postgres) -> AsyncIterator[RunningPlatform]:
    """A platform with runs that used the prompts above, the first with a call of a model."""
    clock = FakeClock(START)
    settings = await new_settings(database_kind, postgres, new_data_folder())
    async with running_platform(settings, clock) as platform:
        for number, prompts in enumerate(RUNS):
            steps = [step(index, used) for index, used in enumerate(prompts, 1)]
            usage = Usage(10 * number, 1, estimated=False)
            steps.append(step(9, type="model", provider="mock", model="m", usage=usage))
            clock.advance(timedelta(minutes=5 * number))
            end = RunFinished("ok", output="x")
            await run_steps(
                platform, new_run(id=f"run-{number}", source="workflow"), *steps, end=end
            )
        yield platform


async def stats(platform: RunningPlatform, **query: Any) -> dict[str, Any]:
    answer = await platform.http.get("/api/runs/stats", params={**PERIOD, **query})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def used_by(*prompts: PromptVersion) -> list[int]:
    """The numbers of the runs that used one of these."""
    return [
        number
        for number, steps in enumerate(RUNS)
        if any(prompt in used for used in steps for prompt in prompts)
    ]


FILTERS: list[tuple[dict[str, str], list[int]]] = [
    ({"prompt": "a"}, used_by(A1, A2, A1_DEV)),
    ({"prompt": "a", "prompt_env": "prod"}, used_by(A1, A2)),
    ({"prompt": "a", "prompt_version": "v1"}, used_by(A1, A1_DEV)),
    ({"prompt": "a", "prompt_env": "prod", "prompt_version": "v2"}, used_by(A2)),
    ({"prompt": "b"}, used_by(B1)),
    ({"prompt": "c", "provider": "mock"}, used_by(C1)),
    ({"prompt": "d"}, []),
]


@pytest.mark.parametrize(("filters", "numbers"), FILTERS)
@pytest.mark.parametrize("group_by", [None, "model", "prompt", "prompt_version"])
async def test_a_run_counts_once_in_each_filter_that_one_of_its_prompts_fits(
    own: RunningPlatform, filters: dict[str, str], numbers: list[int], group_by: str | None
) -> None:
    runs = (await own.http.get("/api/runs", params=filters)).json()
    assert [run["id"] for run in runs["data"]] == [f"run-{number}" for number in reversed(numbers)]
    assert runs["total"] == len(numbers)
    points = (await own.http.get("/api/runs/points", params=filters)).json()["data"]
    assert points["runs"] == len(numbers)
    grouping = {"group_by": group_by} if group_by else {}
    answer = await stats(own, **filters, **grouping)
    assert answer["total"] == len(numbers)
    assert answer["calls"] == len(numbers)
    assert answer["prompt_tokens"] == sum(10 * number for number in numbers)
    assert sum(count["count"] for count in answer["by_provider"]) == len(numbers)


async def test_a_run_counts_under_each_of_its_prompts(own: RunningPlatform) -> None:
    by_key = await stats(own, group_by="prompt")
    counts = {series["group"]: series["figures"]["total"] for series in by_key["series"]}
    assert counts == {
        "a": len(used_by(A1, A2, A1_DEV)),
        "b": len(used_by(B1)),
        "c": len(used_by(C1)),
        None: 1,
    }
    assert by_key["total"] == len(RUNS)
    by_version = await stats(own, group_by="prompt_version")
    counts = {series["group"]: series["figures"]["total"] for series in by_version["series"]}
    assert counts == {
        "a@v1 (prod)": len(used_by(A1)),
        "a@v2 (prod)": len(used_by(A2)),
        "a@v1 (dev)": len(used_by(A1_DEV)),
        "b@v1 (prod)": len(used_by(B1)),
        "c@v1 (prod)": len(used_by(C1)),
        None: 1,
    }


async def test_versions_of_one_prompt_leave_no_others(own: RunningPlatform) -> None:
    answer = await stats(own, prompt="a", group_by="prompt_version")
    assert None not in {series["group"] for series in answer["series"]}


async def test_a_run_and_its_steps_name_their_prompts(own: RunningPlatform) -> None:
    run = await detail(own, "run-3")
    a1 = {"key": "a", "env": "prod", "version": "v1", "variant": "A"}
    a2 = {"key": "a", "env": "prod", "version": "v2", "variant": "B"}
    dev = {"key": "a", "env": "dev", "version": "v1", "variant": None}
    b1 = {"key": "b", "env": "prod", "version": "v1", "variant": None}
    first, second, third = run["steps"]
    assert first["prompts"] == [a1, a2, dev]
    assert second["prompts"] == [b1]
    assert third["prompts"] == []
    assert run["prompts"] == [a1, a2, dev, b1]
    assert run["prompt"] is None
    assert (await detail(own, "run-0"))["prompts"] == [a1], "each once"


async def test_the_prompt_of_an_agent_is_that_of_its_renderings_and_calls(
    own: RunningPlatform,
) -> None:
    run = new_run(source="agent", prompt=A1)
    steps = [step(1, (A1,)), step(2, (A1,), type="model"), step(3, type="tool")]
    await run_steps(own, run, *steps, end=RunFinished("ok", output="x"))
    shown = await detail(own, run.id)
    a1 = {"key": "a", "env": "prod", "version": "v1", "variant": "A"}
    assert shown["prompts"] == [a1]
    assert [used["prompts"] for used in shown["steps"]] == [[a1], [a1], []]


async def test_a_call_of_the_playground_names_its_prompt(own: RunningPlatform) -> None:
    shown = await detail(own, await logged(own, new_run(prompt=A2)))
    a2 = {"key": "a", "env": "prod", "version": "v2", "variant": "B"}
    assert shown["prompts"] == [a2]
    assert shown["steps"][0]["prompts"] == [a2]
