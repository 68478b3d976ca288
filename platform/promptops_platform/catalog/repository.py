"""SQL of the list of prompts by key: the rows of all environments of a key form one line.

Its filters must match the same row of an environment, except for the state: the state of a key is
the highest of its rows. It reads the tables of prompts and rollouts, and writes none.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, Text, bindparam, case, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.catalog.tables import PromptSummaryRow
from promptops_platform.db.search import fold, tags_in
from promptops_platform.prompts.tables import PromptSearchRow, PromptTagRow
from promptops_platform.prompts.trigrams import narrow_by_text
from promptops_platform.rollouts.tables import RolloutRow

State = Literal["never", "published", "draft", "ramping"]
# A state's rank is its index; the state of a key is the highest of its environments.
STATES: tuple[State, ...] = ("never", "published", "draft", "ramping")
# Columns whose values a facet counts.
COUNTED = {
    "env": PromptSummaryRow.env,
    "category": PromptSummaryRow.category,
    "model": PromptSummaryRow.model,
    "author": PromptSummaryRow.updated_by,
}
MOST_VALUES = 100

_summary = PromptSummaryRow
_is_ramping = _summary.prompt_id.in_(select(RolloutRow.prompt_id).where(RolloutRow.enabled))
_rank: ColumnElement[int] = case(
    (_is_ramping, 3),
    (_summary.published_hash.is_(None), 0),
    (_summary.published_hash != _summary.draft_hash, 2),
    else_=1,
)


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """Filters of the list; None matches all. `keys` are those that some program has cached;
    `environments` are those that the caller can see."""

    workspace_id: str
    text: str | None = None
    env: str | None = None
    state: State | None = None
    tag: str | None = None
    category: str | None = None
    model: str | None = None
    author: str | None = None
    keys: frozenset[str] | None = None
    environments: frozenset[str] | None = None


class Line(NamedTuple):
    """A key, and the highest rank of its states."""

    key: str
    rank: int


class Count(NamedTuple):
    """How many keys have this value."""

    value: str
    number: int


class KeyList:
    """Runs the queries of one request."""

    def __init__(self, session: AsyncSession, key_filter: KeyFilter) -> None:
        self._session = session
        self._filter = key_filter

    async def page(
        self, sort: str, *, descending: bool, limit: int, offset: int
    ) -> tuple[list[Line], int]:
        """Return a page of lines in order, and the total."""
        lines = self._lines().subquery()
        order: Any = lines.c["rank" if sort == "state" else sort]
        by_key = lines.c.key
        query = select(lines.c.key, lines.c.rank, func.count().over()).order_by(
            order.desc() if descending else order, by_key
        )
        rows = (await self._session.execute(query.limit(limit).offset(offset))).all()
        if rows or not offset:
            return [Line(*row[:2]) for row in rows], rows[0][2] if rows else 0
        total = await self._session.scalar(select(func.count()).select_from(lines))
        return [], total or 0

    async def keys(self) -> list[Line]:
        """Return all lines, by key."""
        lines = self._lines().subquery()
        rows = await self._session.execute(select(lines.c.key, lines.c.rank).order_by(lines.c.key))
        return [Line(*row) for row in rows]

    async def values(self, facet: str) -> list[Count]:
        """Return the values of a column, with the number of keys that match the other filters."""
        value = COUNTED[facet]
        hits = [*self._scope(without=facet), *self._tests(without=facet), value != ""]
        if facet == "env":
            # A key has one row per environment, and its state there is that row's.
            state = self._filter.state
            hits += [] if state is None else [_rank == STATES.index(state)]
        else:
            hits += self._in_state()
        return await self._counted(select(value, func.count(_summary.key.distinct())), hits, value)

    async def tags(self) -> list[Count]:
        """Return the tags in the same way."""
        hits = [*self._scope(), *self._tests(without="tag"), *self._in_state()]
        query = select(PromptTagRow.tag, func.count(_summary.key.distinct()))
        query = query.join(_summary, _summary.prompt_id == PromptTagRow.prompt_id)
        return await self._counted(query, hits, PromptTagRow.tag)

    async def states(self) -> list[Count]:
        """Return the states in the same way; states without keys are left out."""
        lines = self._lines(without="state").subquery()
        rows = await self._session.execute(
            select(lines.c.rank, func.count()).group_by(lines.c.rank)
        )
        counts = {row[0]: row[1] for row in rows}
        return [
            Count(state, counts[rank])
            for rank, state in reversed(list(enumerate(STATES)))
            if rank in counts
        ]

    async def matching(self, keys: Collection[str] | None) -> list[str]:
        """Return those of these keys (None for all) that match all filters except the one by
        program."""
        lines = self._lines(without="client")
        if keys is not None:
            lines = lines.where(_summary.key.in_(listed(self._session, keys)))
        return list(await self._session.scalars(select(lines.subquery().c.key)))

    async def _counted(
        self, query: Select[Any], hits: Sequence[ColumnElement[bool]], value: Any
    ) -> list[Count]:
        count = func.count(_summary.key.distinct())
        query = query.where(*hits).group_by(value).order_by(count.desc(), value)
        rows = await self._session.execute(query.limit(MOST_VALUES))
        return [Count(*row) for row in rows]

    def _lines(self, without: str | None = None) -> Select[Any]:
        scope = self._scope()
        lines = select(
            _summary.key,
            func.max(_rank).label("rank"),
            func.max(_summary.updated_at).label("updated_at"),
            func.min(_summary.name).label("name"),
        ).where(*scope)
        if tests := self._tests(without=without):
            # A key is shown with the values of all its rows, not only of the matching ones.
            lines = lines.where(_summary.key.in_(select(_summary.key).where(*scope, *tests)))
        lines = lines.group_by(_summary.key)
        state = self._filter.state
        if state is None or without == "state":
            return lines
        return lines.having(func.max(_rank) == STATES.index(state))

    def _scope(self, without: str | None = None) -> list[ColumnElement[bool]]:
        """Return the rows in question: those of the workspace, and of one environment if it is
        given."""
        key_filter = self._filter
        tests: list[ColumnElement[bool]] = [_summary.workspace_id == key_filter.workspace_id]
        if key_filter.environments is not None:
            tests.append(_summary.env.in_(key_filter.environments))
        if key_filter.env is not None and without != "env":
            tests.append(_summary.env == key_filter.env)
        return tests

    def _in_state(self) -> list[ColumnElement[bool]]:
        state = self._filter.state
        if state is None:
            return []
        keys = select(_summary.key).where(*self._scope()).group_by(_summary.key)
        return [_summary.key.in_(keys.having(func.max(_rank) == STATES.index(state)))]

    def _tests(self, without: str | None = None) -> list[ColumnElement[bool]]:
        key_filter = self._filter
        tests: list[ColumnElement[bool]] = []
        for name in ("category", "model", "author"):
            value = getattr(key_filter, name)
            if value is not None and name != without:
                tests.append(COUNTED[name] == value)
        if key_filter.keys is not None and without != "client":
            tests.append(_summary.key.in_(listed(self._session, key_filter.keys)))
        if key_filter.text is not None:
            hits = select(PromptSearchRow.prompt_id)
            hits = narrow_by_text(hits, self._session, fold(key_filter.text))
            tests.append(_summary.prompt_id.in_(hits))
        for tag in tags_in(key_filter.tag or "") if without != "tag" else ():
            tagged = select(PromptTagRow.prompt_id).where(PromptTagRow.tag == tag)
            tests.append(_summary.prompt_id.in_(tagged))
        return tests


async def summaries(
    session: AsyncSession,
    workspace_id: str,
    keys: Collection[str],
    environments: Collection[str] | None,
) -> Sequence[Row[Any]]:
    """Return the rows of these keys in these environments (None for all), each with the variants of
    its active rollout, or None."""
    query = (
        select(_summary, RolloutRow.variants)
        .outerjoin(RolloutRow, (RolloutRow.prompt_id == _summary.prompt_id) & RolloutRow.enabled)
        .where(_summary.workspace_id == workspace_id, _summary.key.in_(keys))
    )
    if environments is not None:
        query = query.where(_summary.env.in_(environments))
    rows: Sequence[Row[Any]] = (await session.execute(query)).all()
    return rows


def listed(session: AsyncSession, values: Collection[str]) -> Select[Any]:
    """Return any number of texts as a query, because a statement has a limited number of
    parameters."""
    ordered = sorted(values)
    if session.get_bind().dialect.name == "sqlite":
        rows = func.json_each(json.dumps(ordered)).table_valued(column("value", Text))
        return select(rows.c.value)
    return select(func.unnest(bindparam(None, ordered, type_=ARRAY(Text))))
