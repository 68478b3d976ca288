"""Statistics by prompt and version, and a period beside an earlier one, on both databases."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import func, select

from harness.people import new_workspace
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_key,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from harness.runs import logged, model_call, new_run, record
from promptops_platform.clock import FakeClock
from promptops_platform.runlog.tables import RunPromptRollupRow
from promptops_providers.protocol import PromptVersion, Usage

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
VERSIONS = (
    PromptVersion("reply", "prod", "v1"),
    PromptVersion("reply", "prod", "v2"),
    PromptVersion("reply", "dev", "v2"),
    PromptVersion("triage", "prod", "v1"),
    None,
)
RUNS = 40
WEEK = {"since": "2026-03-08T00:00:00Z", "until": "2026-03-15T00:00:00Z"}


@pytest_asyncio.fixture(scope="module")
async def own(database_kind: DatabaseKind, postgres: Postgres) -> AsyncIterator[RunningPlatform]:
    """A platform with runs of two weeks, one every eight hours, of the versions in turn."""
    clock = FakeClock(START)
    settings = await new_settings(database_kind, postgres, new_data_folder())
    async with running_platform(settings, clock) as platform:
        for number in range(RUNS):
            run = new_run(prompt=VERSIONS[number % 5], started_at=clock.now())
            clock.advance(timedelta(milliseconds=100 + 11 * number))
            failed = "no" if number % 7 == 0 else None
            provider = ("openai", "claude")[number % 2]
            await record(platform, run, model_call(provider=provider, error=failed))
            clock.advance(timedelta(hours=8))
        yield platform


async def stats(platform: RunningPlatform, **query: Any) -> dict[str, Any]:
    answer = await platform.http.get("/api/runs/stats", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def listed(platform: RunningPlatform, **query: Any) -> list[dict[str, Any]]:
    answer = await platform.http.get("/api/runs", params={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    runs: list[dict[str, Any]] = answer.json()["data"]
    return runs


async def test_a_version_counts_the_runs_that_used_it(own: RunningPlatform) -> None:
    answer = await stats(own, **WEEK, group_by="prompt_version")
    runs = await listed(own, **WEEK)
    assert answer["total"] == len(runs)
    for series in answer["series"]:
        members = [run for run in runs if run["prompt"] == series["prompt"]]
        assert series["figures"]["total"] == len(members) > 0
        assert series["figures"]["error"] == sum(run["status"] == "error" for run in members)
        assert series["figures"]["prompt_tokens"] == sum(run["prompt_tokens"] for run in members)
        assert sum(point["total"] for point in series["points"]) == len(members)
    assert {series["group"] for series in answer["series"]} == {
        "reply@v1 (prod)",
        "reply@v2 (prod)",
        "reply@v2 (dev)",
        "triage@v1 (prod)",
        None,
    }


async def test_a_prompt_counts_all_its_versions(own: RunningPlatform) -> None:
    answer = await stats(own, **WEEK, group_by="prompt")
    counts = {series["group"]: series["figures"]["total"] for series in answer["series"]}
    runs = await listed(own, **WEEK)
    keys = [run["prompt"] and run["prompt"]["key"] for run in runs]
    assert counts == {key: keys.count(key) for key in ("reply", "triage", None)}


@pytest.mark.parametrize(
    "filters",
    [
        {"prompt": "reply"},
        {"prompt": "reply", "prompt_env": "prod"},
        {"prompt": "reply", "prompt_env": "prod", "prompt_version": "v2"},
        {"prompt": "reply", "prompt_version": "v2", "provider": "openai"},
        {"prompt": "nowhere"},
    ],
)
@pytest.mark.parametrize("grouping", [{"group_by": "prompt_version"}, {"group_by": "model"}, {}])
async def test_filters_of_the_list_and_of_the_figures_agree(
    own: RunningPlatform, filters: dict[str, str], grouping: dict[str, str]
) -> None:
    runs = await listed(own, **WEEK, **filters)
    answer = await stats(own, **WEEK, **filters, **grouping)
    assert answer["total"] == len(runs)
    if grouping:
        assert sum(point["figures"]["total"] for point in answer["series"]) == len(runs)
    assert sum(count["count"] for count in answer["by_provider"]) == len(runs)


async def test_a_period_is_compared_with_the_same_days_before(own: RunningPlatform) -> None:
    answer = await stats(own, **WEEK, compare_days=7, group_by="prompt_version", interval="hour")
    before = {"since": "2026-03-01T00:00:00Z", "until": "2026-03-08T00:00:00Z"}
    earlier = await stats(own, **before, group_by="prompt_version", interval="hour")
    previous = answer["previous"]
    assert {name: earlier[name] for name in previous if name != "series"} == {
        name: previous[name] for name in previous if name != "series"
    }
    assert sorted(previous["series"], key=str) == sorted(earlier["series"], key=str)
    assert (await stats(own, **WEEK))["previous"] is None


@pytest.mark.parametrize("group_by", ["prompt_version", "model", "key"])
async def test_series_without_points_have_the_same_figures(
    own: RunningPlatform, group_by: str
) -> None:
    whole = await stats(own, **WEEK, group_by=group_by, compare_days=7)
    bare = await stats(own, **WEEK, group_by=group_by, compare_days=7, points="false")
    for answer in (whole, whole["previous"]):
        assert any(series["points"] for series in answer["series"])
        for series in answer["series"]:
            series["points"] = []
    assert bare == whole


@pytest.mark.parametrize("group_by", ["prompt", "model"])
async def test_the_largest_groups_may_be_those_of_most_cost(
    platform: RunningPlatform, group_by: str
) -> None:
    workspace = await new_workspace(platform)
    for number in range(22):
        prompt = PromptVersion(f"prompt-{number:02}", "prod", "v1")
        run = new_run(workspace_id=workspace, prompt=prompt)
        usage = Usage(1000, 1000 * (22 - number), estimated=False)
        for _ in range(2 if number == 21 else 1):
            run = replace(run, id=new_key()[4:40])
            model = f"gpt-4.1-mini-{number:02}"
            await logged(platform, run, model_call(provider="openai", model=model, usage=usage))
    query = {"workspace": workspace, "group_by": group_by}
    by_cost = (await stats(platform, **query, rank_by="cost"))["series"]
    costs = [series["figures"]["cost_usd"] for series in by_cost[:-1]]
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) == 20
    assert by_cost[-1]["figures"]["total"] == 3
    by_runs = (await stats(platform, **query))["series"]
    assert by_runs[0]["figures"]["total"] == 2


async def test_without_runs_before_there_is_nothing_to_compare_with(own: RunningPlatform) -> None:
    previous = (await stats(own, **WEEK, compare_days=100, group_by="key"))["previous"]
    assert (previous["total"], previous["series"]) == (0, [])
    assert previous["latency_ms"] == {"p50": None, "p95": None, "p99": None}


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"prompt_env": "prod"}, "prompt_env: has no effect without prompt"),
        ({"prompt_version": "v1", "group_by": "prompt"}, "prompt_version: has no effect"),
        ({"prompt": "reply", "key": "x"}, "key: statistics of prompts"),
        ({"prompt": "reply", "group_by": "key"}, "key: statistics of prompts"),
        ({"group_by": "prompt_version", "key": "x"}, "key: statistics of prompts"),
        ({"compare_days": "0"}, "compare_days"),
        ({"compare_days": "401"}, "compare_days"),
    ],
)
async def test_wrong_questions_are_a_400(
    own: RunningPlatform, query: dict[str, str], sentence: str
) -> None:
    answer = await own.http.get("/api/runs/stats", params=query)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


async def test_a_version_without_its_prompt_filters_no_list(own: RunningPlatform) -> None:
    answer = await own.http.get("/api/runs", params={"prompt_version": "v1"})
    assert answer.status_code == 400
    assert "prompt: is required" in answer.json()["error"]


async def test_the_figures_of_prompts_go_with_their_workspace(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform)
    await logged(platform, new_run(workspace_id=workspace, prompt=VERSIONS[0]))
    await platform.http.delete(f"/api/workspaces/{workspace}?force=true")
    async with platform.platform.database.read() as transaction:
        left = select(func.count()).where(RunPromptRollupRow.workspace_id == workspace)
        assert await transaction.session.scalar(left) == 0
