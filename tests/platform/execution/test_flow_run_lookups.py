"""Runs are found by the flow runs that execute them, without reading all others."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from harness.platform import DatabaseKind, RunningPlatform
from promptops_platform.deployments import repository as deployments
from promptops_platform.execution import pool_repository as pools
from promptops_platform.execution import repository as plans
from promptops_platform.triggers import repository as triggers

LOOKUPS: list[Callable[[AsyncSession, str], Awaitable[Any]]] = [
    plans.run_of_flow_run,
    plans.run_of_suspended,
    pools.run_of_flow_run,
    deployments.ended_unstarted,
    lambda session, run_id: deployments.claimed(session, [run_id]),
    lambda session, run_id: triggers.end_with_run(session, run_id, "retried", state="failed"),
]
NAMES = ["plan", "suspended", "pool", "unstarted", "claimed", "firing"]


@contextmanager
def statements(platform: RunningPlatform) -> Iterator[list[tuple[str, Any]]]:
    """What is executed meanwhile, with its parameters."""
    executed: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        executed.append((statement, parameters))

    writer = platform.platform.database.engines.writer.sync_engine
    event.listen(writer, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        event.remove(writer, "before_cursor_execute", note)


@pytest.mark.parametrize("look", LOOKUPS, ids=NAMES)
async def test_a_flow_run_is_looked_up_in_an_index(
    platform: RunningPlatform,
    database_kind: DatabaseKind,
    look: Callable[[AsyncSession, str], Awaitable[Any]],
) -> None:
    async with platform.platform.database.write() as transaction:
        with statements(platform) as executed:
            await look(transaction.session, "a-flow-run")
        # Others have statements of their own meanwhile.
        statement, parameters = next(row for row in executed if "a-flow-run" in str(row[1]))
        if database_kind == "postgresql":
            return  # it reads a table of few rows as a whole
        connection = await transaction.session.connection()
        plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        steps = [row[3] for row in plan]
    assert not [step for step in steps if step.startswith("SCAN")], steps
