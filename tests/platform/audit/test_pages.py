"""Pages of the audit trail against a plain reading of their filters, on both databases."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select

from harness.platform import RunningPlatform, new_key
from promptops_platform.access.actor import SYSTEM
from promptops_platform.audit import search
from promptops_platform.audit.schemas import AuditFilter
from promptops_platform.audit.service import AuditTrail
from promptops_platform.db.search import EXACT_TOTAL
from promptops_platform.db.tables import AuditCountRow, AuditRow
from promptops_platform.db.unit_of_work import Transaction

START = datetime(2026, 1, 1, tzinfo=UTC)
WORKSPACES = ["default", "one", "two", None]
FILTERED = ("actor", "action", "resource", "resource_id", "key")

few = st.sampled_from(["a", "b", "A"])
minutes = st.integers(0, 5)
entries = st.fixed_dictionaries(
    dict.fromkeys(FILTERED, few) | {"workspace_id": st.sampled_from(WORKSPACES), "minute": minutes}
)
filters = st.builds(
    AuditFilter,
    **{name: st.one_of(st.none(), few) for name in FILTERED},
    workspaces=st.one_of(st.none(), st.lists(st.sampled_from(WORKSPACES), unique=True)),
    since=st.one_of(st.none(), minutes.map(lambda n: START + timedelta(minutes=n))),
    until=st.one_of(st.none(), minutes.map(lambda n: START + timedelta(minutes=n))),
)


@asynccontextmanager
async def emptied(platform: RunningPlatform) -> AsyncIterator[Transaction]:
    """A transaction without any entries, never committed."""
    async with platform.platform.database.write() as transaction:
        transaction.commit = transaction.session.rollback  # type: ignore[method-assign]
        for table in (AuditRow, AuditCountRow):
            await transaction.session.execute(delete(table))
        yield transaction


def rows_of(made: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: each[name] for name in (*FILTERED, "workspace_id")}
        | {
            "id": number,
            "summary": "",
            "address": "",
            "request_id": "",
            "created_at": START + timedelta(minutes=each["minute"]),
        }
        for number, each in enumerate(made, 1)
    ]


def is_wanted(row: dict[str, Any], wanted: AuditFilter) -> bool:
    return (
        all(getattr(wanted, name) in (None, row[name]) for name in FILTERED)
        and (wanted.workspaces is None or row["workspace_id"] in wanted.workspaces)
        and (wanted.since is None or row["created_at"] >= wanted.since)
        and (wanted.until is None or row["created_at"] < wanted.until)
    )


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(made=st.lists(entries, min_size=1, max_size=12), wanted=st.lists(filters, max_size=5))
@example([], [AuditFilter(), AuditFilter(workspaces=[]), AuditFilter(workspaces=[None])])
async def test_a_page_is_what_a_plain_reading_finds(
    platform: RunningPlatform, made: list[dict[str, Any]], wanted: list[AuditFilter]
) -> None:
    rows = rows_of(made)
    async with emptied(platform) as transaction:
        session = transaction.session
        if rows:
            await session.execute(insert(AuditRow), rows)
        for row in rows:
            await search.count(session, {row["workspace_id"]: 1})
        rows.sort(key=lambda row: (row["created_at"], row["id"]), reverse=True)
        for each in (*wanted, AuditFilter()):
            expected = [row["id"] for row in rows if is_wanted(row, each)]
            for limit, offset in ((50, 0), (2, 1)):
                found = await search.page(session, each, limit=limit, offset=offset)
                ids = [row.id for row in found.rows]
                assert ids == expected[offset : offset + limit], each
                assert (found.total, found.total_is_at_least) == (len(expected), False)


async def test_a_filtered_total_stops_and_says_so(platform: RunningPlatform) -> None:
    entry = dict.fromkeys(FILTERED, "a") | {"workspace_id": "default", "minute": 0}
    rows = rows_of([entry | {"minute": number} for number in range(EXACT_TOTAL + 5)])
    newest = [row["id"] for row in rows[: -3 - 1 : -1]]
    async with emptied(platform) as transaction:
        session = transaction.session
        await session.execute(insert(AuditRow), rows)
        await search.count(session, {"default": len(rows)})
        for wanted, total, at_least in (
            (AuditFilter(actor="a"), EXACT_TOTAL, True),
            (AuditFilter(actor="a", workspaces=["default", "one"]), EXACT_TOTAL, True),
            (AuditFilter(), len(rows), False),
            (AuditFilter(workspaces=["default"]), len(rows), False),
            (AuditFilter(workspaces=["default", "one", None]), len(rows), False),
        ):
            found = await search.page(session, wanted, limit=3, offset=0)
            assert [row.id for row in found.rows] == newest
            assert (found.total, found.total_is_at_least) == (total, at_least)


async def test_writers_at_once_lose_no_count(platform: RunningPlatform) -> None:
    """They record in either order of the workspaces, and none waits for the other."""
    database, trail = platform.platform.database, platform.platform.audit
    names = [new_key(), new_key()]

    async def write(number: int) -> None:
        async with database.write() as transaction:
            for workspace_id in names if number % 2 else reversed(names):
                record(trail, transaction, workspace_id)

    await asyncio.gather(*(write(number) for number in range(16)))
    async with database.read() as transaction:
        found = await search.page(
            transaction.session, AuditFilter(workspaces=names), limit=1, offset=0
        )
        query = select(func.count()).where(AuditRow.workspace_id.in_(names))
        assert found.total == await transaction.session.scalar(query) == 32


def record(trail: AuditTrail, transaction: Transaction, workspace_id: str) -> None:
    trail.record(
        transaction,
        actor=SYSTEM,
        action="create",
        resource="test",
        resource_id="",
        key="",
        summary="",
        workspace_id=workspace_id,
    )


async def test_the_trail_is_filtered_over_the_wire(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod")
    await platform.publish(prompt["id"])

    async def actions(**query: str) -> list[str]:
        answer = await platform.http.get("/api/audit", params={"key": prompt["key"], **query})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert (body["total"], body["total_is_at_least"]) == (len(body["data"]), False)
        return [each["action"] for each in body["data"]]

    assert await actions() == ["publish", "create"]
    assert await actions(action="create", actor="admin", resource="prompt") == ["create"]
    assert await actions(resource_id="nobody") == []
    assert await actions(**{"from": prompt["created_at"], "to": ""}) == ["publish", "create"]
    assert await actions(to=prompt["created_at"]) == []
    for wrong in ("yesterday", "2026-01-01T00:00:00", "0001-01-01T00:00:00+23:00"):
        answer = await platform.http.get("/api/audit", params={"from": wrong})
        assert answer.status_code == 400, answer.text
        assert "from" in answer.json()["error"]
