"""Runs in the log of an older release, after an upgrade."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, select, text

from harness.platform import DatabaseKind, new_settings
from harness.postgres import Postgres
from promptops_platform.access.actor import STATIC_TOKEN
from promptops_platform.access.grants import Grants
from promptops_platform.clock import SystemClock
from promptops_platform.db.alembic_commands import upgrade
from promptops_platform.db.schema import migrate
from promptops_platform.db.types import UtcDateTime
from promptops_platform.db.unit_of_work import Database
from promptops_platform.runlog.repository import counted
from promptops_platform.runlog.rollup_reading import StatsFilter
from promptops_platform.runlog.statistics import RunStatistics
from promptops_platform.runlog.tables import RunPromptRow, RunRow, RunStepRow

MOMENT = bindparam("now", type_=UtcDateTime())


@pytest.fixture
async def database(database_kind: DatabaseKind, postgres: Postgres, data_folder: Path) -> Any:
    settings = await new_settings(database_kind, postgres, data_folder, empty=True)
    database = Database(settings.database_location)
    yield database
    await database.close()


async def test_runs_of_an_older_release_are_of_the_environment_of_their_prompt(
    database: Database,
) -> None:
    prompt = '"prompt": {"env": "dev"}'
    inputs = {
        "of dev": f"{{{prompt}}}",
        "of a conversation": f'{{{prompt}, "conversation_id": "c"}}',
        "of nothing": '{"variables": {"prompt": {"env": "dev"}}}',
        "not kept": None,
    }
    async with database.engines.writer.begin() as connection:
        await connection.run_sync(upgrade, "0009")
        insert = text(
            "INSERT INTO runs (id, workspace_id, source, ref_key, inputs, provider, model,"
            " prompt_tokens, output_tokens, latency_ms, status, error, output, instance,"
            " created_at) VALUES (:id, 'w', 'agent', 'k', :inputs, '', '', 0, 0, 0, 'ok', '',"
            " '', 'i', :now)"
        ).bindparams(MOMENT)
        for name, value in inputs.items():
            now = datetime(2026, 1, 1, tzinfo=UTC)
            await connection.execute(insert, {"id": name, "inputs": value, "now": now})
    await migrate(database.engines)
    async with database.read() as transaction:
        rows = await transaction.session.execute(select(RunRow.id, RunRow.scope))
    assert dict(rows.tuples().all()) == dict.fromkeys(inputs) | {"of dev": "env:dev"}


async def test_runs_of_an_older_release_name_the_version_of_their_prompt(
    database: Database,
) -> None:
    inputs = {
        "of none": None,
        "of a workflow": '{"variables": {}, "version": "1"}',
        "of a version": '{"prompt": {"id": "p", "env": "prod", "version": "v3"}}',
        "of a draft": '{"prompt": {"id": "p", "env": "dev", "version": null}}',
        "of an agent": '{"prompt": {"key": "k", "env": "dev", "version": "v1", "variant": "A"}}',
    }
    insert = text(
        "INSERT INTO runs (id, workspace_id, source, ref_key, user_name, inputs, provider, model,"
        " prompt_tokens, cached_tokens, output_tokens, usage_estimated, latency_ms, status, error,"
        " output, instance, created_at) VALUES (:id, 'w', 'agent', 'own', '', :inputs, '', '', 0,"
        " 0, 0, FALSE, 0, 'ok', '', '', '', :now)"
    ).bindparams(MOMENT)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    async with database.engines.writer.begin() as connection:
        await connection.run_sync(upgrade, "0017")
        for name, value in inputs.items():
            await connection.execute(insert, {"id": name, "inputs": value, "now": now})
    await migrate(database.engines)
    async with database.read() as transaction:
        names = (RunRow.prompt_key, RunRow.prompt_env, RunRow.prompt_version)
        rows = await transaction.session.execute(select(RunRow.id, *names))
    assert {row.id: tuple(row)[1:] for row in rows} == {
        "of none": (None, None, None),
        "of a workflow": (None, None, None),
        "of a version": ("own", "prod", "v3"),
        "of a draft": ("own", "dev", "draft"),
        "of an agent": ("k", "dev", "v1"),
    }


async def test_runs_of_an_older_release_have_state_version_and_prompts(database: Database) -> None:
    inputs = '{"version": "3", "prompt": {"key": "p", "env": "dev", "variant": "B"}}'
    asked = '{"version": "of a caller"}'
    interrupted = "the platform ended during this run; start it again"
    runs = [
        ("agent", "ok", "", inputs, "p"),
        ("workflow", "error", "step 1 (a): no", None, None),
        ("workflow", "error", interrupted, None, None),
        ("workflow", "running", "", inputs, None),
        ("playground", "ok", "", asked, "q"),
    ]
    insert = text(
        "INSERT INTO runs (id, workspace_id, source, ref_key, user_name, prompt_key, prompt_env,"
        " prompt_version, inputs, provider, model, prompt_tokens, cached_tokens, output_tokens,"
        " usage_estimated, latency_ms, status, error, output, instance, created_at) VALUES (:id,"
        " 'w', :source, 'k', '', :prompt, 'dev', 'v1', :inputs, '', '', 0, 0, 0, FALSE, 7, :status,"
        " :error, '', '', :now)"
    ).bindparams(MOMENT)
    step = text(
        "INSERT INTO run_steps (run_id, position, name, type, state, started_at, duration_ms,"
        " attempts, provider, model, prompt_tokens, cached_tokens, output_tokens, usage_estimated)"
        " VALUES ('r0', 1, 'a', 'render', 'Completed', :now, 1, 1, '', '', 0, 0, 0, FALSE)"
    ).bindparams(MOMENT)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    async with database.engines.writer.begin() as connection:
        await connection.run_sync(upgrade, "0022")
        for number, run in enumerate(runs):
            names = ("source", "status", "error", "inputs", "prompt")
            values = dict(zip(names, run, strict=True))
            await connection.execute(insert, {"id": f"r{number}", "now": now, **values})
        await connection.execute(step, {"now": now})
    await migrate(database.engines)
    async with database.read() as transaction:
        session = transaction.session
        rows = (await session.scalars(select(RunRow).order_by(RunRow.id))).all()
        prompts = (await session.scalars(select(RunPromptRow).order_by(RunPromptRow.run_id))).all()
        stored = (await session.scalars(select(RunStepRow))).one()
    assert [(row.state, row.version) for row in rows] == [
        ("completed", "3"),
        ("failed", None),
        ("crashed", None),
        ("running", "3"),
        ("completed", None),
    ]
    assert [row.prompt_variant for row in rows] == ["B", None, None, None, None]
    assert {(row.began_at, row.attempt, row.is_detached) for row in rows} == {(now, 1, False)}
    assert [(row.run_id, row.position, row.key, row.variant) for row in prompts] == [
        ("r0", 0, "p", "B"),
        ("r4", 0, "q", ""),
    ]
    assert {(row.workspace_id, row.created_at) for row in prompts} == {("w", now)}
    assert (stored.reused, stored.failures, stored.items) == (False, None, None)


async def test_runs_of_an_older_release_are_counted_and_summed_up(database: Database) -> None:
    async with database.engines.writer.begin() as connection:
        await connection.run_sync(upgrade, "0003")
        insert = text(
            "INSERT INTO runs (id, workspace_id, source, ref_key, provider, model, prompt_tokens,"
            " output_tokens, latency_ms, status, error, output, instance, created_at) VALUES"
            " (:id, 'w', 'workflow', :key, :provider, :model, :tokens, 2, :latency, :status, '',"
            " '', 'i', :now)"
        ).bindparams(bindparam("now", type_=UtcDateTime()))
        for number in range(6):
            values = {
                "id": f"r{number}",
                "key": "a" if number < 4 else "b",
                "provider": "mock" if number else "",
                "model": "m" * (500 if number == 1 else 1) if number else "",
                "tokens": 10 * number,
                "latency": 100 * number,
                "status": ("ok", "error", "ok", "ok", "ok", "running")[number],
                "now": datetime(2026, 1, 1, number, 30, tzinfo=UTC),
            }
            await connection.execute(insert, values)
    await migrate(database.engines)
    statistics = RunStatistics(Grants(database), SystemClock())
    async with database.read() as transaction:
        assert await counted(transaction.session, ["w"]) == 5
        for filter_, runs in (
            (StatsFilter(), (0, 1, 2, 3, 4)),
            (StatsFilter(key="a"), (0, 1, 2, 3)),
            (StatsFilter(model="m"), (2, 3, 4)),
            (StatsFilter(since=datetime(2026, 1, 1, tzinfo=UTC)), (0, 1, 2, 3, 4)),
            (
                StatsFilter(
                    since=datetime(2026, 1, 1, 3, tzinfo=UTC),
                    until=datetime(2026, 1, 1, 5, tzinfo=UTC),
                    interval="hour",
                ),
                (3, 4),
            ),
        ):
            stats = await statistics.read(transaction, filter_, actor=STATIC_TOKEN, workspace=None)
            assert stats.total == len(runs), filter_
            assert stats.prompt_tokens == sum(10 * number for number in runs)
            assert (stats.error, stats.cost_unknown) == (int(1 in runs), 0)
            assert stats.avg_latency_ms == round(sum(100 * number for number in runs) / len(runs))
            assert stats.latency_ms.p99 == pytest.approx(100 * runs[-1], rel=0.05)
        day = datetime(2026, 1, 1, tzinfo=UTC)
        by_state = StatsFilter(group_by="state", since=day, until=day + timedelta(days=1))
        stats = await statistics.read(transaction, by_state, actor=STATIC_TOKEN, workspace=None)
        # Sums by state begin later: these are the others.
        assert [(series.group, series.figures.total) for series in stats.series] == [(None, 5)]
