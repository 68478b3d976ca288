"""Pages of the audit trail against a plain reading of their filters, on both databases."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from harness.platform import RunningPlatform
from promptops_platform.audit import repository, search
from promptops_platform.audit.schemas import AuditFilter
from promptops_platform.audit.tables import AuditCountRow, AuditRow
from promptops_platform.db.search import EXACT_TOTAL
from promptops_platform.db.unit_of_work import Transaction

START = datetime(2026, 1, 1, tzinfo=UTC)
WORKSPACES = ["default", "one", "two", None]
FILTERED = ("actor", "action", "resource", "resource_id", "key", "request_id")

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
        for table in (AuditCountRow, AuditRow):
            await transaction.session.execute(delete(table))
        yield transaction


def rows_of(made: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: fields[name] for name in (*FILTERED, "workspace_id")}
        | {"id": number, "summary": "", "address": ""}
        | {"created_at": START + timedelta(minutes=fields["minute"])}
        for number, fields in enumerate(made, 1)
    ]


def is_wanted(row: dict[str, Any], filter_: AuditFilter) -> bool:
    return (
        all(getattr(filter_, name) in (None, row[name]) for name in FILTERED)
        and (filter_.workspaces is None or row["workspace_id"] in filter_.workspaces)
        and (filter_.since is None or row["created_at"] >= filter_.since)
        and (filter_.until is None or row["created_at"] < filter_.until)
    )


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(made=st.lists(entries, min_size=1, max_size=12), all_filters=st.lists(filters, max_size=5))
@example([], [AuditFilter(), AuditFilter(workspaces=[]), AuditFilter(workspaces=[None])])
async def test_a_page_is_what_a_plain_reading_finds(
    platform: RunningPlatform, made: list[dict[str, Any]], all_filters: list[AuditFilter]
) -> None:
    rows = rows_of(made)
    async with emptied(platform) as transaction:
        session = transaction.session
        if rows:
            await session.execute(insert(AuditRow), rows)
        for row in rows:
            await repository.add_to_counts(session, {row["workspace_id"] or "": 1})
        rows.sort(key=lambda row: (row["created_at"], row["id"]), reverse=True)
        for filter_ in (*all_filters, AuditFilter()):
            expected = [row["id"] for row in rows if is_wanted(row, filter_)]
            for limit, offset in ((50, 0), (2, 1)):
                page = await search.entries(session, filter_, limit=limit, offset=offset)
                assert [row.id for row in page] == expected[offset : offset + limit], filter_
            assert await search.total(session, filter_) == (len(expected), False)
            for row in rows[1:3]:
                later = search.EntryPosition(row["created_at"], row["id"])
                assert await search.place(session, row["id"]) == later
                page = await search.entries(session, filter_, limit=3, before=later)
                older = rows[rows.index(row) + 1 :]
                assert [row.id for row in page] == [
                    row["id"] for row in older if is_wanted(row, filter_)
                ][:3]


async def test_a_filtered_total_stops_and_says_so(platform: RunningPlatform) -> None:
    entry = dict.fromkeys(FILTERED, "a") | {"workspace_id": "default", "minute": 0}
    rows = rows_of([entry | {"minute": number} for number in range(EXACT_TOTAL + 5)])
    newest = [row["id"] for row in rows[: -3 - 1 : -1]]
    async with emptied(platform) as transaction:
        session = transaction.session
        await session.execute(insert(AuditRow), rows)
        await repository.add_to_counts(session, {"default": len(rows)})
        for filter_, total, at_least in (
            (AuditFilter(actor="a"), EXACT_TOTAL, True),
            (AuditFilter(actor="a", workspaces=["default", "one"]), EXACT_TOTAL, True),
            (AuditFilter(since=START + timedelta(minutes=5)), EXACT_TOTAL, False),
            (AuditFilter(), len(rows), False),
            (AuditFilter(workspaces=["default"]), len(rows), False),
            (AuditFilter(workspaces=["default", "one", None]), len(rows), False),
        ):
            page = await search.entries(session, filter_, limit=3)
            assert [row.id for row in page] == newest
            assert await search.total(session, filter_) == (total, at_least)
