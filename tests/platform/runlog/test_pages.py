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
from promptops_platform.db.search import EXACT_TOTAL
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.runlog import search
from promptops_platform.runlog.rollups import add_to_counts
from promptops_platform.runlog.search import MOST_SELECTIVE_FIRST, Place, RunFilter
from promptops_platform.runlog.states import STATES, status_of
from promptops_platform.runlog.tables import RunCountRow, RunPromptRow, RunRow

START = datetime(2026, 1, 1, tzinfo=UTC)
WORKSPACES = ["default", "one", "two"]
STATUSES = ["ok", "error", "running"]
COLUMNS = {name: column.key for name, column in MOST_SELECTIVE_FIRST.items()}
# Those that have an index for every value.
DRIVING = {
    name: key for name, key in COLUMNS.items() if name not in ("retry_of", "state", "version")
}
PROMPT = ("prompt", "prompt_env", "prompt_version")
REST = {
    "attempt": 1,
    "is_detached": False,
    **dict.fromkeys(("prompt_tokens", "cached_tokens", "output_tokens", "latency_ms"), 0),
    **dict.fromkeys(("error", "output", "instance"), ""),
    "usage_estimated": False,
}

few = st.sampled_from(["a", "b", "A"])
minutes = st.integers(0, 5)
drawn = {**dict.fromkeys(COLUMNS, few), "status": st.sampled_from(STATUSES)}
drawn["state"] = st.sampled_from(STATES)
uses = st.tuples(st.integers(0, 2), few, few, few)
entries = st.fixed_dictionaries(
    {**drawn, "retry_of": st.one_of(st.none(), few)}
    | {"workspace_id": st.sampled_from(WORKSPACES), "minute": minutes}
    | {"prompts": st.lists(uses, max_size=3, unique=True)}
)
filters = st.builds(
    RunFilter,
    **{name: st.one_of(st.none(), values) for name, values in drawn.items()},
    **{name: st.one_of(st.none(), few) for name in PROMPT},
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
        {column: entry[name] for name, column in COLUMNS.items()}
        | {"id": f"run-{number:05}", "workspace_id": entry["workspace_id"], **REST}
        | {"created_at": START + timedelta(minutes=entry["minute"])}
        | {"status": status_of(entry["state"])}
        for number, entry in enumerate(made, 1)
    ]


def prompts_of(made: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the same runs; some use one prompt in several steps."""
    names = ("position", "key", "env", "version")
    return [
        {**dict(zip(names, use, strict=True)), "run_id": row["id"], "variant": ""}
        | {name: row[name] for name in ("workspace_id", "created_at")}
        for entry, row in zip(made, rows_of(made), strict=True)
        for use in entry["prompts"]
    ]


def is_wanted(
    row: dict[str, Any], filter_: RunFilter, prompts: Sequence[dict[str, Any]] = ()
) -> bool:
    has_ended = row["status"] != "running"
    used = [prompt for prompt in prompts if prompt["run_id"] == row["id"]]
    of_prompt = {"key": filter_.prompt, "env": filter_.prompt_env}
    of_prompt["version"] = filter_.prompt_version
    return (
        (has_ended or bool(filter_.status or filter_.state or filter_.retry_of))
        and all(getattr(filter_, name) in (None, row[column]) for name, column in COLUMNS.items())
        and (
            filter_.prompt is None
            or any(
                all(value in (None, use[name]) for name, value in of_prompt.items()) for use in used
            )
        )
        and (filter_.workspaces is None or row["workspace_id"] in filter_.workspaces)
        and (filter_.since is None or row["created_at"] >= filter_.since)
        and (filter_.until is None or row["created_at"] < filter_.until)
    )


async def insert_runs(
    transaction: Transaction, rows: list[dict[str, Any]], prompts: list[dict[str, Any]]
) -> None:
    if rows:
        await transaction.session.execute(insert(RunRow.__table__), rows)
    if prompts:
        await transaction.session.execute(insert(RunPromptRow.__table__), prompts)
    for row in rows:
        if row["status"] != "running":
            await add_to_counts(transaction.session, {row["workspace_id"]: 1}, len(row["id"]) % 2)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(entries, min_size=1, max_size=12), all_filters=st.lists(filters, max_size=5))
@example([], [RunFilter(), RunFilter(workspaces=[]), RunFilter(workspaces=["one"])])
async def test_a_page_is_what_a_plain_reading_finds(
    platform: RunningPlatform, made: list[dict[str, Any]], all_filters: list[RunFilter]
) -> None:
    rows, prompts = rows_of(made), prompts_of(made)
    async with emptied(platform) as transaction:
        session = transaction.session
        await insert_runs(transaction, rows, prompts)
        rows.sort(key=lambda row: (row["created_at"], row["id"]), reverse=True)
        for filter_ in (*all_filters, RunFilter(), RunFilter(status="running")):
            if filter_.status and filter_.state and filter_.status != status_of(filter_.state):
                continue  # the reader refuses it
            expected = [row["id"] for row in rows if is_wanted(row, filter_, prompts)]
            for limit, offset in ((50, 0), (2, 1)):
                page = await search.page(session, filter_, limit=limit, offset=offset)
                assert [row.id for row in page] == expected[offset : offset + limit], filter_
            assert await search.total(session, filter_) == (len(expected), False)
            for row in rows[1:3]:
                place = Place(row["created_at"], row["id"])
                page = await search.page(session, filter_, limit=3, before=place)
                older = rows[rows.index(row) + 1 :]
                assert [row.id for row in page] == [
                    row["id"] for row in older if is_wanted(row, filter_, prompts)
                ][:3]


async def test_a_filtered_total_stops_and_says_so(platform: RunningPlatform) -> None:
    entry = dict.fromkeys(COLUMNS, "a") | {"workspace_id": "default", "minute": 0}
    rows = rows_of([{**entry, "state": "completed"}] * (EXACT_TOTAL + 5))
    async with emptied(platform) as transaction:
        session = transaction.session
        await session.execute(insert(RunRow.__table__), rows)
        await add_to_counts(session, {"default": len(rows)}, 0)
        for filter_, total, at_least in (
            (RunFilter(user="a"), EXACT_TOTAL, True),
            (RunFilter(status="ok", workspaces=["default", "one"]), EXACT_TOTAL, True),
            (RunFilter(), len(rows), False),
            (RunFilter(workspaces=["default", "one"]), len(rows), False),
        ):
            assert await search.total(session, filter_) == (total, at_least)


async def test_a_page_is_read_from_its_index_without_a_sort(
    platform: RunningPlatform, database_kind: DatabaseKind
) -> None:
    if database_kind == "postgresql":
        return
    for filter_, index in (
        (RunFilter(scopes=["env:dev", "key:1"]), "scope"),
        (RunFilter(), "newest"),
        (RunFilter(status="running"), "running"),
        (RunFilter(workspaces=["default"]), "workspace"),
        (RunFilter(retry_of="r"), "retry_of"),
        (RunFilter(state="cancelled"), "state"),
        (RunFilter(state="completed"), "status"),
        (RunFilter(state="queued"), "running"),
        (RunFilter(key="k", version="3", state="failed"), "ref_key"),
        *((RunFilter(**{"prompt": "ok", name: "ok"}), "prompts") for name in PROMPT),
        (RunFilter(prompt="ok", workspaces=["default"], since=START, status="ok"), "prompts"),
        *((RunFilter(**{name: "ok"}), column) for name, column in DRIVING.items()),
    ):
        query = search._hits(filter_, EXACT_TOTAL + 1, None, 50).limit(50)
        async with platform.platform.database.read() as transaction:
            dialect = transaction.session.get_bind().dialect
            sql = query.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
            plan = await transaction.session.execute(text(f"EXPLAIN QUERY PLAN {sql}"))
            plan_text = " ".join(row[3] for row in plan)
        name = "ix_run_prompts_key" if index == "prompts" else f"ix_runs_{index}"
        assert name in plan_text, plan_text
        # The first ones of each scope, no more than a page has, are sorted together.
        assert plan_text.count("TEMP B-TREE") == len(filter_.scopes or ()), plan_text


async def test_filters_and_places_of_the_route(platform: RunningPlatform) -> None:
    key = new_key()
    ids = [await logged(platform, new_run(ref_key=key)) for _ in range(3)]

    async def listed(**query: Any) -> list[str]:
        answer = (await platform.http.get("/api/runs", params={"key": key, **query})).json()
        assert answer["total_is_at_least"] is False
        return [run["id"] for run in answer["data"]]

    assert await listed() == ids[::-1]
    assert await listed(before=ids[1]) == [ids[0]]
    assert await listed(before=ids[0]) == []
    assert await listed(limit=1, offset=1) == [ids[1]]
    assert (
        await listed(source="playground", provider="mock", model="mock-1", status="ok") == ids[::-1]
    )
    assert await listed(source="workflow") == await listed(until="2020-01-01T00:00:00Z") == []
    for query, status, message in (
        ({"before": "nowhere"}, 400, "before: there is no run 'nowhere'"),
        ({"workspace": "nowhere"}, 404, "workspace 'nowhere' not found"),
        ({"status": "odd"}, 400, "status"),
        ({"since": "soon"}, 400, "since"),
        ({"version": "3"}, 400, "key: is required with version"),
        ({"prompt_env": "prod"}, 400, "prompt: is required"),
        ({"state": "odd"}, 400, "state"),
        (
            {"state": "queued", "status": "ok"},
            400,
            "state: 'queued' runs have the status 'running', not 'ok'",
        ),
    ):
        answer = await platform.http.get("/api/runs", params=query)
        assert answer.status_code == status, answer.text
        assert message in answer.json()["error"]


async def test_a_run_of_a_closed_workspace_is_no_place(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform, "restricted")
    hidden = await logged(platform, new_run(workspace_id=workspace))
    token = await new_session(platform, await new_user(platform, "viewer"))
    async with platform.client(token) as client:
        answer = await client.get("/api/runs", params={"before": hidden})
        unknown = await client.get("/api/runs", params={"before": "nowhere"})
        assert answer.status_code == unknown.status_code == 400
        assert answer.json()["error"] == unknown.json()["error"].replace("nowhere", hidden)
