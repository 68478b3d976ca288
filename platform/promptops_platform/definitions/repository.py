"""SQL of definitions, their versions and what environments serve of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, Text, cast, delete, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from promptops_platform.db.pages import Part, containing_text, ordered, page_of
from promptops_platform.db.search import contains
from promptops_platform.definitions.kinds import RowT
from promptops_platform.definitions.tables import (
    DefinitionMoveRow,
    DefinitionVersionRow,
    ServedDefinitionRow,
)
from promptops_platform.workspaces.tables import WorkspaceRow

LOAD_BATCH = 500
DEPENDENT_TABLES = (ServedDefinitionRow, DefinitionMoveRow, DefinitionVersionRow)


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """What an environment serves of a definition."""

    resource_id: str
    env: str
    number: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class ServedContent:
    """The definition that an environment serves."""

    resource_id: str
    env: str
    content: dict[str, Any]


async def get(
    session: AsyncSession, table: type[RowT], resource_id: str, *, lock: bool = False
) -> RowT | None:
    """Return a definition by id; `lock` locks its row and, against deletion, its workspace until
    the commit."""
    if lock and session.get_bind().dialect.name == "postgresql":
        # Lock the workspace first, in the order that deleting a workspace uses.
        await session.execute(
            select(WorkspaceRow.id)
            .join(table, table.workspace_id == WorkspaceRow.id)
            .where(table.id == resource_id)
            .with_for_update(read=True, key_share=True, of=WorkspaceRow)
        )
    return await session.get(table, resource_id, with_for_update=lock)


async def find_by_key(
    session: AsyncSession, table: type[RowT], workspace_id: str, key: str
) -> RowT | None:
    """Return a definition of a workspace by its key."""
    query = select(table).where(table.workspace_id == workspace_id, table.key == key)
    return (await session.execute(query)).scalar_one_or_none()


async def tags_of(session: AsyncSession, table: type[RowT], workspace_id: str, key: str) -> str:
    """Return the tags of a definition of a workspace, an empty text if it doesn't exist."""
    query = select(table.tags).where(table.workspace_id == workspace_id, table.key == key)
    return await session.scalar(query) or ""


async def search(
    session: AsyncSession,
    table: type[RowT],
    readable: Collection[str] | None,
    workspace_id: str | None,
    text: str | None,
    tags: Collection[str],
    part: Part,
) -> tuple[list[RowT], int]:
    """Return a page of the definitions of these workspaces (None for all) with `text` in key, name
    or description and with all of these folded tags, and their total number; by default newest
    change first."""
    query = select(table)
    if readable is not None:
        query = query.where(table.workspace_id.in_(readable))
    if workspace_id is not None:
        query = query.where(table.workspace_id == workspace_id)
    query = containing_text(query, text, table.key, table.name, table.description)
    query = query.where(*(contains(table.folded_tags, f",{tag},") for tag in tags))
    columns = {"key": table.key, "name": table.name, "updated_at": table.updated_at}
    query = ordered(query, part, columns, default="-updated_at", unique=table.id)
    rows, total = await page_of(session, query, part)
    return [row for (row,) in rows], total


async def existing_keys(
    session: AsyncSession, table: type[RowT], places: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Return which of these workspace and key pairs have a definition."""
    place = tuple_(table.workspace_id, table.key)
    rows = await session.execute(
        select(table.workspace_id, table.key).where(place.in_(list(places)))
    )
    return {(workspace_id, key) for workspace_id, key in rows}


async def add_unless_taken(session: AsyncSession, row: Any) -> bool:
    """Add a definition; return whether its key was free in the workspace."""
    session.add(row)
    try:
        await session.flush()
    except IntegrityError:
        return False
    return True


def set_columns(row: object, values: Mapping[str, Any]) -> None:
    """Set a definition's columns."""
    for name, value in values.items():
        setattr(row, name, value)
        # 1 == True in Python but not in JSON: without this the change would not be written.
        flag_modified(row, name)


async def remove(session: AsyncSession, table: type[RowT], resource_id: str) -> None:
    """Delete a definition with its versions and its history; its runs stay in the run log."""
    for dependent in DEPENDENT_TABLES:
        await session.execute(delete(dependent).where(dependent.resource_id == resource_id))
    await session.execute(delete(table).where(table.id == resource_id))


async def count(session: AsyncSession, table: type[RowT], workspace_id: str) -> int:
    """Return the number of definitions in a workspace."""
    query = select(func.count()).where(table.workspace_id == workspace_id)
    return await session.scalar(query.select_from(table)) or 0


async def clear(
    session: AsyncSession, table: type[RowT], workspace_id: str
) -> Sequence[Row[tuple[str, str, int]]]:
    """Delete the definitions of a workspace; return the id, key and version of each."""
    own = select(table.id).where(table.workspace_id == workspace_id)
    for dependent in DEPENDENT_TABLES:
        await session.execute(
            delete(dependent)
            .where(dependent.workspace_id == workspace_id, dependent.resource_id.in_(own))
            .execution_options(synchronize_session=False)
        )
    deleted = await session.execute(
        delete(table)
        .where(table.workspace_id == workspace_id)
        .returning(table.id, table.key, table.version)
        .execution_options(synchronize_session=False)
    )
    return deleted.all()


def _versions_of(resource_id: str) -> Select[tuple[DefinitionVersionRow]]:
    return select(DefinitionVersionRow).where(DefinitionVersionRow.resource_id == resource_id)


async def versions(
    session: AsyncSession, resource_id: str, part: Part
) -> tuple[list[DefinitionVersionRow], int]:
    """Return a page of a definition's versions, newest first, and their total number."""
    query = _versions_of(resource_id).order_by(DefinitionVersionRow.number.desc())
    rows, total = await page_of(session, query, part)
    return [row for (row,) in rows], total


async def version(
    session: AsyncSession, resource_id: str, number: int
) -> DefinitionVersionRow | None:
    """Return a version by its number."""
    query = _versions_of(resource_id).where(DefinitionVersionRow.number == number)
    row: DefinitionVersionRow | None = await session.scalar(query)
    return row


async def version_with_content(
    session: AsyncSession, resource_id: str, content_hash: str
) -> DefinitionVersionRow | None:
    """Return the version with this content."""
    query = _versions_of(resource_id).where(DefinitionVersionRow.content_hash == content_hash)
    row: DefinitionVersionRow | None = await session.scalar(
        query.order_by(DefinitionVersionRow.number.desc()).limit(1)
    )
    return row


def add(session: AsyncSession, row: DefinitionVersionRow | DefinitionMoveRow) -> None:
    """Add a version, or an entry of the history."""
    session.add(row)


async def served(session: AsyncSession, resource_ids: Sequence[str]) -> list[ServedVersion]:
    """Return what all environments serve of these definitions."""
    query = select(
        ServedDefinitionRow.resource_id,
        ServedDefinitionRow.env,
        ServedDefinitionRow.number,
        DefinitionVersionRow.content_hash,
    ).join(DefinitionVersionRow, DefinitionVersionRow.id == ServedDefinitionRow.version_id)
    versions: list[ServedVersion] = []
    for start in range(0, len(resource_ids), LOAD_BATCH):
        batch = resource_ids[start : start + LOAD_BATCH]
        rows = await session.execute(query.where(ServedDefinitionRow.resource_id.in_(batch)))
        versions += (ServedVersion(*row) for row in rows)
    return versions


async def served_contents(
    session: AsyncSession, workspace_id: str, text: str
) -> list[ServedContent]:
    """Return what the environments of a workspace serve, for contents whose JSON contains this
    text."""
    rows = await session.execute(
        select(
            ServedDefinitionRow.resource_id,
            ServedDefinitionRow.env,
            DefinitionVersionRow.content,
        )
        .join(DefinitionVersionRow, DefinitionVersionRow.id == ServedDefinitionRow.version_id)
        .where(
            ServedDefinitionRow.workspace_id == workspace_id,
            contains(cast(DefinitionVersionRow.content, Text), text),
        )
        .order_by(ServedDefinitionRow.resource_id, ServedDefinitionRow.env)
    )
    return [ServedContent(*row) for row in rows]


async def serve(session: AsyncSession, version: DefinitionVersionRow, env: str) -> None:
    """Point an environment at a version."""
    target = {"version_id": version.id, "number": version.number}
    table = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    place = ["resource_id", "env"]
    statement = table.insert(ServedDefinitionRow).values(
        resource_id=version.resource_id, env=env, workspace_id=version.workspace_id, **target
    )
    await session.execute(statement.on_conflict_do_update(index_elements=place, set_=target))


async def moves(
    session: AsyncSession, resource_id: str, environments: Collection[str] | None, part: Part
) -> tuple[list[DefinitionMoveRow], int]:
    """Return a page of the history of what was served in these environments (None for all), newest
    first, and its total length."""
    query = select(DefinitionMoveRow).where(DefinitionMoveRow.resource_id == resource_id)
    if environments is not None:
        query = query.where(DefinitionMoveRow.env.in_(environments))
    rows, total = await page_of(session, query.order_by(DefinitionMoveRow.id.desc()), part)
    return [row for (row,) in rows], total


async def used_environments(session: AsyncSession, workspace_id: str) -> set[str]:
    """Return the names of the environments that serve a definition of a workspace."""
    query = select(ServedDefinitionRow.env).where(ServedDefinitionRow.workspace_id == workspace_id)
    return set(await session.scalars(query.distinct()))
