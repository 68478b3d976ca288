"""Pages of the run log against a plain reading of their filters, on both databases."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, text

from harness.people import new_session, new_user, new_workspace
from harness.platform import DatabaseKind, RunningPlatform, new_key
from harness.runs import logged, new_run
from promptops_platform.db.run_tables import RunCountRow, RunRow
from promptops_platform.db.search import EXACT_TOTAL
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.runs import search
from promptops_platform.runs.rollups import add_to_counts
from promptops_platform.runs.search import MOST_SELECTIVE_FIRST, Place, RunFilter

START = datetime(2026, 1, 1, tzinfo=UTC)
WORKSPACES = ["default", "one", "two"]
STATUSES = ["ok", "error", "running"]
COLUMNS = {name: column.key for name, column in MOST_SELECTIVE_FIRST.items()}
REST = {
    **dict.fromkeys(("prompt_tokens", "cached_tokens", "output_tokens", "latency_ms"), 0),
    **dict.fromkeys(("error", "output", "instance"), ""),
    "usage_estimated": False,
}

few = st.sampled_from(["a", "b", "A"])
minutes = st.integers(0, 5)
entries = st.fixed_dictionaries(
    {name: st.sampled_from(STATUSES) if name == "status" else few for name in COLUMNS}
    | {"workspace_id": st.sampled_from(WORKSPACES), "minute": minutes}
)
filters = st.builds(
    RunFilter,
    **{
        name: st.one_of(st.none(), st.sampled_from(STATUSES) if name == "status" else few)
        for name in COLUMNS
    },
    workspaces=st.one_of(st.none(), st.lists(st.sampled_from(WORKSPACES), unique=True)),
    since=st.one_of(st.none(), minutes.map(lambda n: START + timedelta(minutes=n))),
    until=st.one_of(st.none(), minutes.map(lambda n: START + timedelta(minutes=n))),
)


@asynccontextmanager
async def emptied(platform: RunningPlatform) -> AsyncIterator[Transaction]:
    """A transaction without any runs, never committed."""
    async with platform.platform.database.write() as transaction:
        transaction.commit = transaction.session.rollback  # type: ignore[method-assign]
        for table in (RunCountRow, RunRow):
            await transaction.session.execute(delete(table))
        yield transaction


def rows_of(made: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {column: each[name] for name, column in COLUMNS.items()}
        | {"id": f"run-{number:05}", "workspace_id": each["workspace_id"], **REST}
        | {"created_at": START + timedelta(minutes=each["minute"])}
        for number, each in enumerate(made, 1)
    ]


def is_wanted(row: dict[str, Any], wanted: RunFilter) -> bool:
    named = {**COLUMNS, "status": "status"}
    return (
        (wanted.status is not None or row["status"] != "running")
        and all(getattr(wanted, name) in (None, row[column]) for name, column in named.items())
        and (wanted.workspaces is None or row["workspace_id"] in wanted.workspaces)
        and (wanted.since is None or row["created_at"] >= wanted.since)
        and (wanted.until is None or row["created_at"] < wanted.until)
    )


async def insert_runs(transaction: Transaction, rows: list[dict[str, Any]]) -> None:
    if rows:
        await transaction.session.execute(insert(RunRow.__table__), rows)
    for row in rows:
        if row["status"] != "running":
            await add_to_counts(transaction.session, {row["workspace_id"]: 1}, len(row["id"]) % 2)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(entries, min_size=1, max_size=12), wanted=st.lists(filters, max_size=5))
@example([], [RunFilter(), RunFilter(workspaces=[]), RunFilter(workspaces=["one"])])
async def test_a_page_is_what_a_plain_reading_finds(
    platform: RunningPlatform, made: list[dict[str, Any]], wanted: list[RunFilter]
) -> None:
    rows = rows_of(made)
    async with emptied(platform) as transaction:
        session = transaction.session
        await insert_runs(transaction, rows)
        rows.sort(key=lambda row: (row["created_at"], row["id"]), reverse=True)
        for each in (*wanted, RunFilter(), RunFilter(status="running")):
            expected = [row["id"] for row in rows if is_wanted(row, each)]
            for limit, offset in ((50, 0), (2, 1)):
                found = await search.page(session, each, limit=limit, offset=offset)
                assert [row.id for row in found] == expected[offset : offset + limit], each
            assert await search.total(session, each) == (len(expected), False)
            for row in rows[1:3]:
                place = Place(row["created_at"], row["id"])
                found = await search.page(session, each, limit=3, before=place)
                older = rows[rows.index(row) + 1 :]
                assert [row.id for row in found] == [
                    row["id"] for row in older if is_wanted(row, each)
                ][:3]


async def test_a_filtered_total_stops_and_says_so(platform: RunningPlatform) -> None:
    entry = dict.fromkeys(COLUMNS, "a") | {"workspace_id": "default", "minute": 0}
    rows = rows_of([{**entry, "status": "ok"}] * (EXACT_TOTAL + 5))
    async with emptied(platform) as transaction:
        session = transaction.session
        await session.execute(insert(RunRow.__table__), rows)
        await add_to_counts(session, {"default": len(rows)}, 0)
        for wanted, total, at_least in (
            (RunFilter(user="a"), EXACT_TOTAL, True),
            (RunFilter(status="ok", workspaces=["default", "one"]), EXACT_TOTAL, True),
            (RunFilter(), len(rows), False),
            (RunFilter(workspaces=["default", "one"]), len(rows), False),
        ):
            assert await search.total(session, wanted) == (total, at_least)


async def test_a_page_is_read_from_its_index_without_a_sort(
    platform: RunningPlatform, database_kind: DatabaseKind
) -> None:
    if database_kind == "postgresql":
        return
    for wanted, index in (
        (RunFilter(scopes=["env:dev", "key:1"]), "scope"),
        (RunFilter(), "newest"),
        (RunFilter(status="running"), "running"),
        (RunFilter(workspaces=["default"]), "workspace"),
        *((RunFilter(**{name: "ok"}), column) for name, column in COLUMNS.items()),
    ):
        query = search._hits(wanted, EXACT_TOTAL + 1, None, 50).limit(50)
        async with platform.platform.database.read() as transaction:
            dialect = transaction.session.get_bind().dialect
            sql = query.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
            plan = await transaction.session.execute(text(f"EXPLAIN QUERY PLAN {sql}"))
            said = " ".join(row[3] for row in plan)
        assert f"ix_runs_{index}" in said, said
        # The first ones of each scope, no more than a page has, are sorted together.
        assert said.count("TEMP B-TREE") == len(wanted.scopes or ()), said


async def test_filters_and_places_of_the_route(platform: RunningPlatform) -> None:
    key = new_key()
    ids = [await logged(platform, new_run(ref_key=key)) for _ in range(3)]

    async def listed(**query: Any) -> list[str]:
        answer = (await platform.http.get("/api/runs", params={"key": key, **query})).json()
        assert answer["total_is_at_least"] is False
        return [each["id"] for each in answer["data"]]

    assert await listed() == ids[::-1]
    assert await listed(before=ids[1]) == [ids[0]]
    assert await listed(before=ids[0]) == []
    assert await listed(limit=1, offset=1) == [ids[1]]
    assert (
        await listed(source="playground", provider="mock", model="mock-1", status="ok") == ids[::-1]
    )
    assert await listed(source="workflow") == await listed(until="2020-01-01T00:00:00Z") == []
    for query, status, said in (
        ({"before": "nowhere"}, 400, "before: there is no run 'nowhere'"),
        ({"workspace": "nowhere"}, 404, "workspace 'nowhere' not found"),
        ({"status": "odd"}, 400, "status"),
        ({"since": "soon"}, 400, "since"),
    ):
        answer = await platform.http.get("/api/runs", params=query)
        assert answer.status_code == status, answer.text
        assert said in answer.json()["error"]


async def test_a_run_of_a_closed_workspace_is_no_place(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform, "restricted")
    hidden = await logged(platform, new_run(workspace_id=workspace))
    token = await new_session(platform, await new_user(platform, "viewer"))
    async with platform.client(token) as client:
        answer = await client.get("/api/runs", params={"before": hidden})
        unknown = await client.get("/api/runs", params={"before": "nowhere"})
        assert answer.status_code == unknown.status_code == 400
        assert answer.json()["error"] == unknown.json()["error"].replace("nowhere", hidden)
