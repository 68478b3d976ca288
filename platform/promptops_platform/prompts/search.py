"""Lists of prompts: the SQL of their filters and pages.

A page is found in two steps: the ids, from one index in the order of the list, and then their
rows. `unindexed` keeps SQLite on the index that the most selective filter names.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from promptops_platform.db.search import EXACT_TOTAL, contains, fold, tags_in, unindexed
from promptops_platform.prompts.schemas import PromptFilter
from promptops_platform.prompts.search_index import LONGEST_TAGGED_CATEGORY
from promptops_platform.prompts.tables import (
    PromptRow,
    PromptSearchRow,
    PromptTagRow,
    PromptVersionRow,
)
from promptops_platform.prompts.trigrams import narrow_by_text

PublishedPrompt = Row[tuple[PromptRow, Any, Any]]


class PromptPage(NamedTuple):
    """Prompts with the label and hash of their published version, newest change first, and the
    total number of matches; with `total_is_at_least` there are more than `total`."""

    rows: Sequence[PublishedPrompt]
    total: int
    total_is_at_least: bool


async def page(
    session: AsyncSession, filters: PromptFilter, *, limit: int, offset: int
) -> PromptPage:
    """Return a page of the list."""
    hits = _hits(session, filters)
    counted = select(func.count()).select_from(hits.limit(EXACT_TOTAL + 1).subquery())
    total: int = await session.scalar(counted) or 0
    if total > EXACT_TOTAL and filters.text is not None:
        # Sorting that many costs more than scanning from the newest.
        hits = _scan_newest(filters)
    ids = _newest_first(hits).limit(limit).offset(offset).subquery()
    rows = await session.execute(_with_versions().join(ids, ids.c.id == PromptRow.id))
    return PromptPage(rows.all(), min(total, EXACT_TOTAL), total > EXACT_TOTAL)


async def all_matching(session: AsyncSession, filters: PromptFilter) -> Sequence[PublishedPrompt]:
    """Return the whole list."""
    ids = _hits(session, filters).subquery()
    rows = await session.execute(_with_versions().join(ids, ids.c.id == PromptRow.id))
    prompts: Sequence[PublishedPrompt] = rows.all()
    return prompts


def _with_versions() -> Select[tuple[PromptRow, Any, Any]]:
    return (
        select(PromptRow, PromptVersionRow.version, PromptVersionRow.content_hash)
        .outerjoin(PromptVersionRow, PromptVersionRow.id == PromptRow.published_id)
        .order_by(PromptRow.updated_at.desc(), PromptRow.id.desc())
    )


def _newest_first(hits: Select[Any]) -> Select[Any]:
    prompt_id, updated_at = hits.selected_columns
    return hits.order_by(updated_at.desc(), prompt_id.desc())


def _hits(session: AsyncSession, filters: PromptFilter) -> Select[Any]:
    """Select id and time of the matching prompts, from the index of the most selective filter."""
    tags = tags_in(filters.tag or "")
    if filters.text is not None:
        hits = select(PromptSearchRow.prompt_id.label("id"), PromptSearchRow.updated_at)
        hits = narrow_by_text(hits, session, fold(filters.text)).where(
            *_conditions(PromptSearchRow, filters)
        )
        return hits.where(*_tagged(PromptSearchRow.prompt_id, tags))
    if tags and len(filters.category or "") <= LONGEST_TAGGED_CATEGORY:
        hits = select(PromptTagRow.prompt_id.label("id"), PromptTagRow.updated_at)
        hits = hits.where(PromptTagRow.tag == tags[0], *_conditions(PromptTagRow, filters))
        return hits.where(*_tagged(PromptTagRow.prompt_id, tags[1:]))
    hits = select(PromptRow.id, PromptRow.updated_at)
    return hits.where(*_conditions(PromptRow, filters, driven=True), *_tagged(PromptRow.id, tags))


def _scan_newest(filters: PromptFilter) -> Select[Any]:
    """Select the same prompts by scanning all of them, for a text that many contain."""
    hits = select(PromptRow.id, PromptRow.updated_at)
    hits = hits.join(PromptSearchRow, PromptSearchRow.prompt_id == PromptRow.id)
    hits = hits.where(contains(PromptSearchRow.text, fold(filters.text or "")))
    return hits.where(
        *_conditions(PromptSearchRow, filters),
        *_tagged(PromptRow.id, tags_in(filters.tag or "")),
    )


def _conditions(
    table: type[Any], filters: PromptFilter, *, driven: bool = False
) -> list[ColumnElement[bool]]:
    """Return the conditions on workspace, environment and category that apply to `table`, and the
    caller's visibility; with `driven`, the first condition may use an index."""
    tests: list[ColumnElement[bool]] = []
    for name in ("category", "env", "workspace_id"):
        value = getattr(filters, name)
        column = getattr(table, name, None)
        if value is not None and column is not None:
            tests.append((unindexed(column) if tests or not driven else column) == value)
    if filters.readable is not None:
        tests.append(unindexed(table.workspace_id).in_(filters.readable))
    if filters.environments is not None:
        tests.append(unindexed(table.env).in_(filters.environments))
    return tests


def _tagged(prompt_id: Any, tags: Sequence[str]) -> list[ColumnElement[bool]]:
    tests: list[ColumnElement[bool]] = []
    for tag in tags:
        other = aliased(PromptTagRow)
        tests.append(exists().where(other.prompt_id == prompt_id, other.tag == tag))
    return tests
