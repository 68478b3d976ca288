"""Lists of prompts against a plain reading of their rules, on both databases."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from harness.platform import RunningPlatform, new_key
from promptops_platform.access.actor import SYSTEM
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.prompts import search
from promptops_platform.prompts.schemas import PromptFilter
from promptops_platform.prompts.tables import PromptRow
from promptops_platform.workspaces.service import DEFAULT_WORKSPACE

# Later than whatever other tests leave.
START = datetime(2100, 1, 1, tzinfo=UTC)
# Signs of LIKE and of FTS5, letters whose cases differ in length or by language, and scripts
# without either.
LETTERS = "aAbBsSkK ßẞıİiIÄäΣσςÇﬁǅéé%_\\\"'*^:+-(){}&|<>.,中文字🙂🙃\u00ad\u200d"  # noqa: RUF001
SIGNS = [*LETTERS, "AND", "or", "NEAR(", "{{name}}", "text:"]
pieces = st.lists(st.sampled_from(SIGNS), max_size=12).map("".join)
contents = st.lists(st.sampled_from([*SIGNS, "\n", "\t"]), max_size=40).map("".join)
tag_lists = st.lists(st.sampled_from(["red", "Red", "r e d", "re", "", "blau", "a_b"]), max_size=4)
labels = st.sampled_from(["dev", "prod"])
# The longest that stands in the index of tags, and one that is too long for it.
LONG, TOO_LONG = "\U0001f642" * 300, "\U0001f642" * 301
categories = st.sampled_from(["", "one", "One", LONG, TOO_LONG])

prompts = st.fixed_dictionaries(
    {"name": pieces, "content": contents, "env": labels, "category": categories}
    | {"tags": tag_lists.map(", ".join)}
)
edits = st.fixed_dictionaries(
    {},
    optional={"name": pieces, "content": contents, "env": labels, "category": categories}
    | {"tags": tag_lists.map(",".join)},
)
# Which prompt, counted from the first, and what is done to it: None deletes it.
steps = st.lists(st.tuples(st.integers(0, 5), st.one_of(edits, st.just("publish"), st.none())))


@asynccontextmanager
async def undone(platform: RunningPlatform) -> AsyncIterator[Transaction]:
    """A transaction that is never committed."""
    async with platform.platform.database.write() as transaction:
        transaction.commit = transaction.session.rollback  # type: ignore[method-assign]
        yield transaction


async def make(
    platform: RunningPlatform, transaction: Transaction, fields: Sequence[dict[str, str]]
) -> list[PromptRow]:
    """Prompts of which each key begins with a mark of its own."""
    service = platform.platform.prompts.service
    return [
        await service.create(
            transaction,
            actor=SYSTEM,
            workspace_id=DEFAULT_WORKSPACE,
            key=new_key(),
            fields=row_fields,
        )
        for row_fields in fields
    ]


async def ids_found(
    platform: RunningPlatform, transaction: Transaction, filter_: PromptFilter, among: set[str]
) -> set[str]:
    """Ids of `among` that the list has, which is the same with a limit and without."""
    service = platform.platform.prompts.service
    paged = await service.search(transaction, filter_, actor=SYSTEM, limit=10_000, offset=0)
    whole = await service.search(transaction, filter_, actor=SYSTEM, limit=None, offset=0)
    ids = [row.id for row, *_ in paged.rows]
    assert ids == [row.id for row, *_ in whole.rows]
    assert (paged.total, paged.total_is_at_least) == (len(ids), False) == (whole.total, False)
    order = [(row.updated_at, row.id) for row, *_ in paged.rows]
    assert order == sorted(order, reverse=True)
    return among & set(ids)


def holding(term: str) -> Callable[[PromptRow], bool]:
    folded = term.casefold()

    def holds(row: PromptRow) -> bool:
        return any(folded in text.casefold() for text in (row.key, row.name, row.content))

    return holds


def tagged(tag: str) -> Callable[[PromptRow], bool]:
    """A filter with only blanks is none."""
    name = tag.replace(" ", "").casefold()

    def has(row: PromptRow) -> bool:
        return not name or name in row.tags.replace(" ", "").casefold().split(",")

    return has


async def is_sound(transaction: Transaction) -> None:
    """Let FTS5 compare its index with the texts; PostgreSQL's needs no such thing."""
    if transaction.session.get_bind().dialect.name == "sqlite":
        check = "INSERT INTO prompt_trigrams (prompt_trigrams, rank) VALUES ('integrity-check', 1)"
        await transaction.session.execute(text(check))


property_settings = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@property_settings
@given(
    fields=st.lists(prompts, min_size=1, max_size=5),
    terms=st.lists(pieces.filter(bool), max_size=4),
    cut=st.tuples(st.integers(0, 40), st.integers(1, 40)),
)
@example([{"content": "STRASSE"}], ["straße", "ß"], (0, 3))
@example([{"content": '50%_\\ "quoted" it\'s'}], ["%_\\", '"quo', "t's", "%", "_", "0%_"], (2, 1))
@example([{"content": "a OR b"}], ["a or b", "a AND b", '" OR "', "a*", "NOT a", "^a "], (0, 2))
@example([{"content": "x" * 300 + "y"}], ["x" * 100 + "y", "x" * 301, "xy", "y"], (0, 40))
async def test_a_search_finds_what_a_plain_reading_finds(
    platform: RunningPlatform,
    fields: list[dict[str, str]],
    terms: list[str],
    cut: tuple[int, int],
) -> None:
    async with undone(platform) as transaction:
        rows = await make(platform, transaction, fields)
        among = {row.id for row in rows}
        start, length = cut
        parts = [row.content[start : start + length].swapcase() for row in rows]
        one_line = [part for part in parts if part and "\n" not in part]
        for term in [*terms, *one_line, rows[0].key.upper()]:
            expected = {row.id for row in rows if holding(term)(row)}
            assert (
                await ids_found(platform, transaction, PromptFilter(text=term), among) == expected
            )


@property_settings
@given(
    fields=st.lists(prompts, min_size=1, max_size=4),
    steps=steps,
    env=st.one_of(st.none(), labels),
    category=st.one_of(st.none(), categories),
)
@example([{"content": "before"}], [(0, {"content": "after"})], None, None)
@example([{"tags": "red"}], [(0, {"tags": "blau"}), (0, "publish")], None, None)
@example([{"content": "before"}], [(0, {"env": "prod"})], "prod", None)
@example([{"tags": "red"}], [(0, {"env": "prod", "category": "one"})], "prod", "one")
@example([{"tags": "red", "category": LONG}, {"tags": "red"}], [], "dev", LONG)
@example([{"tags": "red", "category": TOO_LONG}, {"tags": "red"}], [], "dev", TOO_LONG)
async def test_the_index_follows_edits_and_deletions(
    platform: RunningPlatform,
    fields: list[dict[str, str]],
    steps: list[tuple[int, Any]],
    env: str | None,
    category: str | None,
) -> None:
    async with undone(platform) as transaction:
        rows = await make(platform, transaction, fields)
        among = {row.id for row in rows}
        await carry_out(platform, transaction, rows, steps)
        await is_sound(transaction)
        written = [*fields, *(step for _, step in steps if isinstance(step, dict))]
        for filter_ in wanted_of(written, env, category):
            expected = {row.id for row in rows if is_wanted(row, filter_)}
            assert await ids_found(platform, transaction, filter_, among) == expected, filter_


async def carry_out(
    platform: RunningPlatform,
    transaction: Transaction,
    rows: list[PromptRow],
    steps: list[tuple[int, Any]],
) -> None:
    service = platform.platform.prompts.service
    for number, step in steps:
        if number >= len(rows):
            continue
        if step is None:
            await service.delete(transaction, rows.pop(number).id, actor=SYSTEM)
        elif step == "publish":
            await service.publish(transaction, rows[number].id, actor=SYSTEM)
        else:
            await service.update(transaction, rows[number].id, actor=SYSTEM, fields=step)
    await transaction.session.flush()


def wanted_of(
    written: list[dict[str, str]], env: str | None, category: str | None
) -> Iterator[PromptFilter]:
    """Filters by what was written once, be it there or not."""
    texts = {row.get(name, "") for row in written for name in ("name", "content")}
    for text_part in {None, *(one.partition("\n")[0][:5] or None for one in texts)}:
        yield PromptFilter(None, text_part, env, category)
    for tag in ("red", "RE d", "blau", " ", "a_b", "a%"):
        yield PromptFilter(None, None, env, category, tag)
    yield PromptFilter(None, next(iter(texts))[:1].strip() or None, env, category, "Red")


def is_wanted(row: PromptRow, filter_: PromptFilter) -> bool:
    return (
        (filter_.text is None or holding(filter_.text)(row))
        and filter_.env in (None, row.env)
        and filter_.category in (None, row.category)
        and tagged(filter_.tag or "")(row)
    )


async def test_a_list_has_pages_and_a_total(platform: RunningPlatform) -> None:
    mark = new_key()
    made = [await platform.create(f"{mark}-{n}", tags=f"{mark}, x") for n in range(5)]
    newest_first = [row["id"] for row in reversed(made)]

    async def page(**query: Any) -> tuple[list[str], int]:
        answer = await platform.http.get("/api/prompts", params=query)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["total_is_at_least"] is False
        return [row["id"] for row in body["data"]], body["total"]

    for filters in ({"q": mark}, {"tag": mark.upper()}, {"q": mark, "tag": "x"}):
        assert await page(**filters) == (newest_first, 5)
        assert await page(**filters, limit=2) == (newest_first[:2], 5)
        assert await page(**filters, limit=2, offset=4) == (newest_first[4:], 5)
        assert await page(**filters, limit=2, offset=9) == ([], 5)
        assert await page(**filters, limit="") == (newest_first, 5)
    assert await page(tag=f"x,{mark}", limit=50) == (newest_first, 5)
    assert (await platform.http.get("/api/prompts?limit=0")).status_code == 400


async def test_a_frequent_term_has_a_page_and_a_total_that_says_it_stopped(
    platform: RunningPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "EXACT_TOTAL", exact := 1000)
    number = exact + 20
    rows = [
        PromptRow(
            id=f"{n:032x}",
            workspace_id=DEFAULT_WORKSPACE,
            key=f"frequent-{n}",
            env="dev" if n % 2 else "prod",
            tags="common" if n % 4 else "",
            **dict.fromkeys(("name", "category", "model", "version", "updated_by"), ""),
            kind="text",
            messages=[],
            config={},
            revision=1,
            content="frequent",
            created_at=START,
            updated_at=START + timedelta(seconds=n % 100),
        )
        for n in range(number)
    ]
    newest = sorted(rows, key=lambda row: (row.updated_at, row.id), reverse=True)
    async with undone(platform) as transaction:
        transaction.session.add_all(rows)
        await transaction.session.flush()
        for filter_, total, at_least in (
            (PromptFilter(text="FREQUENT"), exact, True),
            (PromptFilter(text="frequent", env="prod"), number // 2, False),
            (PromptFilter(text="fr", tag="common"), number * 3 // 4, False),
            (PromptFilter(text="frequent-", tag="common", category="none"), 0, False),
            (PromptFilter(readable=frozenset({DEFAULT_WORKSPACE})), exact, True),
        ):
            page = await search.page(transaction.session, filter_, limit=5, offset=2)
            assert (page.total, page.total_is_at_least) == (total, at_least), filter_
            page_ids = [row.id for row, *_ in page.rows]
            mine = [row.id for row in newest if is_wanted(row, filter_)]
            assert page_ids == mine[2:7], filter_


async def test_a_list_can_be_kept_to_the_readable_workspaces(platform: RunningPlatform) -> None:
    async with undone(platform) as transaction:
        mine = await make(platform, transaction, [{"content": "shared words", "tags": new_key()}])
        tag = mine[0].tags
        for filters in ({"text": "shared words"}, {"tag": tag}, {"text": "sh"}, {}):
            for readable, expected in (([], 0), (["elsewhere"], 0), ([DEFAULT_WORKSPACE], 1)):
                kept = PromptFilter(**filters, readable=frozenset(readable))
                page = await search.page(transaction.session, kept, limit=10_000, offset=0)
                assert len({row.id for row, *_ in page.rows} & {mine[0].id}) == expected
