"""A part of a list, in the order that the caller asks for."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Row, Select, func, or_
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.search import LIKE_ESCAPE, containing

T = TypeVar("T")


class Part(NamedTuple):
    """Which rows of a list; without a limit, all from `offset` on. `sort` names a field, descending
    with `-` before it; without it the list keeps its own order."""

    limit: int | None = None
    offset: int = 0
    sort: str | None = None

    def cut(self, rows: Sequence[T]) -> list[T]:
        """The part of rows that are all loaded."""
        end = None if self.limit is None else self.offset + self.limit
        return list(rows[self.offset : end])


WHOLE = Part()


def containing_text(query: Select[Any], text: str | None, *columns: Any) -> Select[Any]:
    """The rows with `text` in one of the columns, whatever its case; all without a text."""
    if text is None:
        return query
    pattern = containing(text)
    return query.where(or_(*(column.ilike(pattern, escape=LIKE_ESCAPE) for column in columns)))


def ordered(
    query: Select[Any], part: Part, columns: Mapping[str, Any], *, default: str, unique: Any
) -> Select[Any]:
    """The query in the order of `part`, rows without a value last. `unique` is a column that
    differs from row to row, so that pages neither overlap nor leave rows out."""
    sort = part.sort or default
    column = columns[sort.removeprefix("-")]
    if sort.startswith("-"):
        return query.order_by(column.desc().nulls_last(), unique.desc())
    return query.order_by(column.asc().nulls_last(), unique.asc())


async def page_of(
    session: AsyncSession, query: Select[Any], part: Part
) -> tuple[Sequence[Row[Any]], int]:
    """The rows of a part, and how many rows the query has in total."""
    if part.limit is None and part.offset == 0:
        rows = (await session.execute(query)).all()
        return rows, len(rows)
    counted = query.with_only_columns(func.count(), maintain_column_froms=True).order_by(None)
    total: int = await session.scalar(counted) or 0
    rows = (await session.execute(query.limit(part.limit).offset(part.offset))).all()
    return rows, total
