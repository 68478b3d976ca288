"""What PROMPTOPS_RUN_TEXTS and PROMPTOPS_RUN_REDACT promise holds for every file: runs of all kinds
are made with marked texts, and then all files of platform, engine and Prefect are searched."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text

from harness.agents import use_engine
from harness.engine import EngineProcess
from harness.platform import DatabaseKind, RunningPlatform, new_settings, running_platform
from harness.postgres import Postgres
from harness.prefect_server import PrefectServer
from harness.private_texts import (
    Marks,
    PrivateRuns,
    files_with,
    private_runs,
    run_agents,
    run_durably,
    run_playground,
    run_workflows,
)
from harness.processes import eventually
from promptops_flows.telemetry.text_policy import KINDS

# By the names of the marks.
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "none": {"run_texts": "none"},
    "redact": {"run_redact": ",".join(KINDS), "run_redact_patterns": '["CUST-[0-9]+"]'},
    "full": {},
}


@pytest.fixture(params=SETTINGS)
def policy(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest_asyncio.fixture
async def platform(
    policy: str, data_folder: Path, engine: EngineProcess
) -> AsyncIterator[RunningPlatform]:
    async with platform_with(policy, "sqlite", None, data_folder, engine) as running:
        yield running


@asynccontextmanager
async def platform_with(
    policy: str,
    kind: DatabaseKind,
    postgres: Postgres | None,
    data_folder: Path,
    engine: EngineProcess,
) -> AsyncIterator[RunningPlatform]:
    own = {"engine_wait_seconds": 90, "engine_concurrency": 1, **SETTINGS[policy]}
    settings = await new_settings(kind, postgres, data_folder, **own)
    async with running_platform(settings) as running:
        # One engine for all settings: the policy travels with the run.
        use_engine(running, engine)
        yield running


def forbidden(policy: str, marks: Marks) -> tuple[str, ...]:
    if policy == "none":
        # What a caller calls a conversation and an author a step is a name.
        return (marks.text, marks.card, marks.key, marks.customer, marks.own_key)
    if policy == "redact":
        return (marks.email, marks.card, marks.key, marks.customer, marks.own_key)
    return (marks.own_key,)


async def test_no_file_holds_what_may_not_be_stored(
    policy: str,
    platform: RunningPlatform,
    data_folder: Path,
    engine: EngineProcess,
    prefect_server: PrefectServer,
) -> None:
    marks = Marks(policy)
    async with private_runs(platform, marks) as runs:
        await run_workflows(runs)
        await run_agents(runs)
        await run_playground(runs)
        await run_durably(runs)
        model_inputs = await runs.conversation()
        conversations = await runs.all_conversations()
        logged = (await runs.http.get("/api/runs", params={"limit": 100})).json()
        for run in logged["data"]:
            detail = (await runs.http.get(f"/api/runs/{run['id']}")).text.lower()
            assert not [mark for mark in forbidden(policy, marks) if mark.lower() in detail]
    await asyncio.to_thread(eventually, lambda: all_recorded(prefect_server, runs))
    assert logged["total"] == len(runs.statuses)
    assert set(runs.statuses) == {200, 502}

    # The agent remembers; others see what may be stored.
    assert any(marks.email in message and marks.text in message for message in model_inputs)
    (conversation,) = conversations
    shown = "".join(message["content"] for message in conversation["newest"])
    assert conversation["messages"] == 4
    assert (marks.text in shown, marks.email in shown) == (policy != "none", policy == "full")

    folders = [data_folder, engine.log.parent, prefect_server.data]
    assert files_with(folders, *forbidden(policy, marks)) == {}
    if policy == "redact":
        assert files_with(folders[1:], marks.author) == {}
    # The search finds what may be there.
    files = files_with(folders, marks.text)
    assert ("promptops.db" in str(files), "prefect.db" in str(files)) == (policy != "none",) * 2


@pytest.mark.trial
@pytest.mark.parametrize("policy", ["none", "redact"])
async def test_no_row_of_postgresql_holds_what_may_not_be_stored(
    policy: str, postgres: Postgres, data_folder: Path, engine: EngineProcess
) -> None:
    marks = Marks(policy)
    async with (
        platform_with(policy, "postgresql", postgres, data_folder, engine) as platform,
        private_runs(platform, marks) as runs,
    ):
        await run_durably(runs)
        rows = (await all_rows(platform)).lower()
    assert [mark for mark in forbidden(policy, marks) if mark.lower() in rows] == []
    assert (marks.text in rows) == (policy != "none")
    assert files_with([data_folder, engine.log.parent], *forbidden(policy, marks)) == {}


async def all_rows(platform: RunningPlatform) -> str:
    """All tables as text."""
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    async with platform.platform.database.read() as transaction:
        names = (await transaction.session.scalars(text(tables))).all()
        rows = [
            row
            for name in names
            for row in await transaction.session.scalars(text(f'SELECT t::text FROM "{name}" t'))
        ]
    return "\n".join(rows)


def all_recorded(server: PrefectServer, runs: PrivateRuns) -> bool:
    """Whether Prefect has written what it was told of the runs, which it does with a delay."""
    run_filter = {"flow_runs": {"id": {"any_": runs.flow_runs}}}
    with server.client() as prefect:
        flow_runs = prefect.post("flow_runs/filter", json=run_filter).json()
        tasks = prefect.post("task_runs/filter", json=run_filter).json()
    steps = {task["flow_run_id"] for task in tasks}
    states = {run["state_type"] for run in (*flow_runs, *tasks)}
    return len(flow_runs) == len(steps) == len(runs.flow_runs) and states <= {
        "COMPLETED",
        "FAILED",
        "CANCELLED",
    }
