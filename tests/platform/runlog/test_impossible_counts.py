"""Counts of tokens that no model can have, in a database of an older release and in a new one."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import bindparam, text

from harness.connections import new_connection
from harness.people import new_workspace
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from harness.runs import logged, model_call, new_run
from harness.vendors import Answer, fake_vendor, openai
from promptops_platform.db.alembic_commands import upgrade
from promptops_platform.db.types import UtcDateTime
from promptops_platform.db.unit_of_work import Database

LARGEST = 2**63 - 1
MOST = 10_000_000
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUN = (
    "INSERT INTO runs (id, workspace_id, source, ref_key, user_name, provider, model,"
    " prompt_tokens, cached_tokens, output_tokens, usage_estimated, cost_nanos, latency_ms, status,"
    " error, output, instance, created_at) VALUES (:id, 'default', 'playground', 'k', 'u', 'p',"
    " 'm', :prompt, :prompt, :output, :no, :cost, 5, 'ok', '', '', 'i', :now)"
)
STEP = (
    "INSERT INTO run_steps (run_id, position, name, type, state, started_at, duration_ms, attempts,"
    " provider, model, prompt_tokens, cached_tokens, output_tokens, usage_estimated, cost_nanos)"
    " VALUES (:id, 1, 'call', 'model', 'Completed', :now, 5, 1, 'p', 'm', :prompt, :prompt,"
    " :output, :no, :cost)"
)
ROLLUP = (
    "INSERT INTO run_rollups VALUES ('default', 'model', 'all', :beginning, 'playground', '', 'p',"
    " 'm', 0, 3, 0, 0, 0, 15, 3, {prompt}, {prompt}, :output, :cost, '{{\"17\": 3}}')"
)


@pytest_asyncio.fixture
async def old(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> AsyncIterator[RunningPlatform]:
    """A platform on the database of an older release, in which a vendor reported nonsense."""
    settings = await new_settings(database_kind, postgres, data_folder, empty=True)
    database = Database(settings.database_location)
    # PostgreSQL's counts of a run have 32 bits. A sum beyond 64 is a float in SQLite.
    largest = LARGEST if database_kind == "sqlite" else 2**31 - 1
    rollup = ROLLUP.format(prompt="9.3e18" if database_kind == "sqlite" else LARGEST)
    values = {
        "no": False,
        "now": NOW,
        "beginning": datetime(1970, 1, 1, tzinfo=UTC),
        "cost": LARGEST,
        "prompt": largest,
        "output": 7,
    }
    async with database.engines.writer.begin() as connection:
        await connection.run_sync(upgrade, "0007")
        for statement in (RUN, STEP, rollup):
            for number in range(1 if statement is rollup else 2):
                query = text(statement)
                names = [name for name in values if f":{name}" in statement]
                times = [name for name in ("now", "beginning") if name in names]
                query = query.bindparams(*(bindparam(name, type_=UtcDateTime()) for name in times))
                sent = {name: values[name] for name in names}
                if number and "prompt" in sent:
                    sent |= {"prompt": 20, "output": -7, "cost": None}
                await connection.execute(query, sent | {"id": f"r{number}"})
    await database.close()
    async with running_platform(settings) as platform:
        yield platform


async def stats(platform: RunningPlatform, **query: str) -> dict[str, Any]:
    answer = await platform.http.get("/api/runs/stats", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_the_database_of_an_older_release_answers_again(old: RunningPlatform) -> None:
    sums = await stats(old)
    assert (sums["total"], sums["calls"]) == (3, 3)
    assert (sums["prompt_tokens"], sums["cached_tokens"]) == (3 * MOST, 3 * MOST)
    assert (sums["output_tokens"], sums["cost_usd"]) == (7, 30_000)
    listed = (await old.http.get("/api/runs")).json()["data"]
    read = ("prompt_tokens", "cached_tokens", "output_tokens", "cost_usd")
    counts = {run["id"]: tuple(run[name] for name in read) for run in listed}
    assert counts == {"r0": (MOST, MOST, 7, 10_000), "r1": (20, 20, 0, None)}
    await logged(old, new_run(ref_key="k"), model_call(provider="p", model="m"))
    after = await stats(old)
    assert (after["total"], after["prompt_tokens"]) == (4, 3 * MOST + 100)
    assert (await stats(old, group_by="key"))["total"] == 1


async def test_a_sum_that_is_full_stays_full(platform: RunningPlatform) -> None:
    """However it came to be, the runs after it are recorded, and the sums can be read."""
    workspace, key = await new_workspace(platform), new_key()
    await logged(platform, new_run(workspace_id=workspace, ref_key=key))
    for _ in range(3):
        async with platform.platform.database.write() as transaction:
            await transaction.session.execute(
                text(
                    "UPDATE run_rollups SET prompt_tokens = :most, cost_nanos = :most"
                    " WHERE workspace_id = :workspace"
                ),
                {"most": LARGEST, "workspace": workspace},
            )
        for _ in range(2):
            await logged(platform, new_run(workspace_id=workspace, ref_key=key))
            for query in ({}, {"group_by": "key"}, {"group_by": "model", "interval": "hour"}):
                sums = await stats(platform, workspace=workspace, **query)
                assert sums["prompt_tokens"] >= 2**62 - 1
    assert sums["total"] == 7


@pytest.mark.parametrize("count", [LARGEST, 10**400, 1e20, -5, True, "12"])
async def test_what_a_vendor_reports_does_no_harm(platform: RunningPlatform, count: Any) -> None:
    workspace = await new_workspace(platform)
    body = openai.chat()
    body["usage"] = {
        "prompt_tokens": count,
        "completion_tokens": count,
        "prompt_tokens_details": {"cached_tokens": count},
    }
    async with fake_vendor(Answer.of_json(body)) as vendor:
        connection = await new_connection(
            platform, base_url=vendor.url, kind="openai-compatible", workspace=workspace
        )
        for _ in range(3):
            answer = await platform.http.post(
                "/api/playground/run",
                json={"content": "Hi", "provider": connection["name"], "workspace": workspace},
            )
            assert answer.status_code == 200, answer.text
    sums = await stats(platform, workspace=workspace)
    assert sums["total"] == 3
    assert 0 <= sums["prompt_tokens"] <= 3 * MOST
    assert sums["prompt_tokens"] == 3 * answer.json()["usage"]["prompt_tokens"]
