"""Registry databases of a wanted size, of both kinds, filled past the API."""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from bench.run_store import fill_runs
from bench.servers import Server, data_folder, running_platform
from harness.postgres import running_postgres
from promptops_platform.catalog.summaries import draft_values
from promptops_platform.catalog.tables import PromptSummaryRow
from promptops_platform.clock import SystemClock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.lifecycle import Platform
from promptops_platform.prompts.search_index import search_values, tag_values
from promptops_platform.prompts.tables import PromptRow, PromptSearchRow, PromptTagRow
from promptops_platform.settings import Settings
from promptops_platform.workspaces.service import DEFAULT_WORKSPACE

BATCH = 1000
WORDS = 4000
# Each of the rare words stands in this many prompts, however many prompts there are.
RARE_HITS = 40
RARE_WORDS = [f"quagga{letter}" for letter in "abcdefgh"]
TAGS = [f"tag{number}" for number in range(30)]
CATEGORIES = [f"category{number}" for number in range(20)]
ENVIRONMENTS = ("dev", "test", "prod")
# Category and tag of every fifteenth prompt, all of them in `prod`: a page is full in any size.
COMMON = "common"
COMMON_EVERY = 15
START = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = tuple(column.key for column in PromptRow.__mapper__.column_attrs)

TRIGRAMS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": (
        "SELECT indexname, indexdef FROM pg_indexes WHERE indexname = 'ix_prompt_search_trigrams'"
    ),
}
AUDIT_TIMES = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f000', 1767225600 + n * 30, 'unixepoch')",
    "postgresql": "to_timestamp(1767225600 + n * 30)",
}
AUDIT = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :entries)
INSERT INTO audit_entries
  (workspace_id, actor, action, resource, resource_id, key, summary, created_at)
SELECT 'default', 'user' || n % 97, CASE n % 10 WHEN 0 THEN 'publish' ELSE 'update' END, 'prompt',
  'id-' || n % 5003, 'key-' || n % 5003, 'changed content', {time} FROM numbers
"""
AUDIT_TOTAL = """
INSERT INTO audit_counts VALUES ('default', :entries)
ON CONFLICT (scope) DO UPDATE SET total = audit_counts.total + :entries
"""


@asynccontextmanager
async def filled_platform(
    kind: str, *, prompts: int = 0, entries: int = 0, runs: int = 0
) -> AsyncIterator[Server]:
    """A platform with that many prompts, audit entries and runs, just started."""
    async with AsyncExitStack() as stack:
        data = stack.enter_context(data_folder())
        url = None
        if kind == "postgresql":
            url = await stack.enter_context(running_postgres()).new_database()
        await _fill(data, url, prompts, entries, runs)
        yield await stack.enter_async_context(running_platform("serve", data, url))


async def _fill(data: Path, url: str | None, prompts: int, entries: int, runs: int) -> None:
    settings = Settings(data=data, database_url=SecretStr(url) if url else None)
    platform = Platform(settings, SystemClock())
    await platform.prepare()
    try:
        async with platform.database.write() as transaction:
            async with _without_trigrams(transaction.session):
                made = _prompts(prompts)
                while batch := list(islice(made, BATCH)):
                    await _insert(transaction.session, batch)
            if entries:
                await _insert_entries(transaction.session, entries)
            if runs:
                await fill_runs(transaction.session, runs)
        await _tidy(platform.database)
    finally:
        await platform.database.close()


@asynccontextmanager
async def _without_trigrams(session: AsyncSession) -> AsyncIterator[None]:
    """Make the index of texts at the end, at once: one by one takes many times as long."""
    in_sqlite = session.get_bind().dialect.name == "sqlite"
    kind = "TRIGGER" if in_sqlite else "INDEX"
    result = await session.execute(text(TRIGRAMS["sqlite" if in_sqlite else "postgresql"]))
    rows = result.tuples().all()
    for name, _ in rows:
        await session.execute(text(f"DROP {kind} {name}"))
    yield
    connection = await session.connection()
    if in_sqlite:
        await connection.exec_driver_sql(
            "INSERT INTO prompt_trigrams (prompt_trigrams) VALUES ('rebuild')"
        )
    for _, definition in rows:
        await connection.exec_driver_sql(definition)


def _prompts(number: int) -> Iterator[PromptRow]:
    """Prompts of some 300 bytes; half of them hold `assistant`."""
    chance = random.Random(number)
    words = _words(chance)
    share = max(1, number // RARE_HITS)
    for n in range(number):
        texts = chance.choices(words, k=40) + ["Assistant {{question}}"] * (n % 2)
        texts += [word for at, word in enumerate(RARE_WORDS) if n % share == at]
        category, tags = chance.choice(CATEGORIES), chance.sample(TAGS, 2)
        if n % COMMON_EVERY == COMMON_EVERY - 1:
            category, tags = COMMON, [COMMON, tags[0]]
        yield PromptRow(
            id=f"{chance.getrandbits(128):032x}",
            workspace_id=DEFAULT_WORKSPACE,
            key=f"key-{n}",
            name=f"Prompt {n}",
            content=" ".join(texts),
            version="v1",
            env=ENVIRONMENTS[n % 3],
            category=category,
            tags=", ".join(tags),
            model="m",
            kind="text",
            messages=[],
            config={},
            revision=1,
            updated_by="bench",
            created_at=START,
            updated_at=START + timedelta(seconds=chance.randrange(10**7)),
        )


def _words(chance: random.Random) -> list[str]:
    syllables = [one + two for one in "bcdfghklmnprstvw" for two in "aeiou"]
    return ["".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(WORDS)]


async def _insert(session: AsyncSession, rows: list[PromptRow]) -> None:
    values = [{name: getattr(row, name) for name in COLUMNS} for row in rows]
    tags: list[dict[str, Any]] = [tag for row in rows for tag in tag_values(row)]
    # Tables, not classes: no returned keys are asked for, so that rows go in batches.
    await session.execute(insert(PromptRow.__table__), values)
    await session.execute(insert(PromptSearchRow.__table__), [search_values(row) for row in rows])
    await session.execute(insert(PromptTagRow.__table__), tags)
    await session.execute(insert(PromptSummaryRow.__table__), [draft_values(row) for row in rows])


async def _insert_entries(session: AsyncSession, entries: int) -> None:
    time = AUDIT_TIMES[session.get_bind().dialect.name]
    for statement in (AUDIT.format(time=time), AUDIT_TOTAL):
        await session.execute(text(statement), {"entries": entries})


async def _tidy(database: Database) -> None:
    """What PostgreSQL does by itself within minutes."""
    if not database.engines.is_sqlite:
        async with database.engines.writer.connect() as connection:
            outside = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await outside.execute(text("VACUUM ANALYZE"))
