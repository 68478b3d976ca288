"""Keeps `prompt_summaries` up to date with each change of a prompt.

The table is updated by mapper events, like the tables behind search, so no writer can forget it.
Changes by an older release that still runs beside this one become visible with the next change.
"""

from typing import Any

from sqlalchemy import Connection, event, exists, insert, inspect, select, update
from sqlalchemy.orm import Mapper

from promptops_platform.catalog.tables import PromptSummaryRow
from promptops_platform.prompts.body import Body
from promptops_platform.prompts.tables import PromptRow, PromptVersionRow

COPIED = (
    *("workspace_id", "key", "env", "updated_at", "updated_by"),
    *("version", "name", "category", "tags", "model"),
)
HASHED = ("content", "model", "kind", "messages", "config")


def draft_values(row: PromptRow) -> dict[str, Any]:
    """Return the summary of a prompt that was never published."""
    hashes = {"draft_hash": Body.of(row).content_hash(), "published_hash": None}
    return {"prompt_id": row.id, "published_version": None, **_copied(row), **hashes}


@event.listens_for(PromptRow, "after_insert")
def _add(_mapper: Mapper[Any], connection: Connection, row: PromptRow) -> None:
    published = _published(connection, row) or {}
    connection.execute(insert(PromptSummaryRow), draft_values(row) | published)


@event.listens_for(PromptRow, "after_update")
def _change(_mapper: Mapper[Any], connection: Connection, row: PromptRow) -> None:
    values = _copied(row)
    if _has_changed(row, *HASHED):
        values["draft_hash"] = Body.of(row).content_hash()
    if _has_changed(row, "published_id"):
        values |= _published(connection, row) or {}
    changed = connection.execute(
        update(PromptSummaryRow).where(PromptSummaryRow.prompt_id == row.id).values(values)
    )
    if not changed.rowcount:
        # An older release, still running beside this one, has created the prompt.
        _add(_mapper, connection, row)


@event.listens_for(PromptVersionRow, "after_insert")
def _publish(_mapper: Mapper[Any], connection: Connection, row: PromptVersionRow) -> None:
    """A version is stored after the prompt that points to it."""
    points_here = exists().where(PromptRow.id == row.prompt_id, PromptRow.published_id == row.id)
    connection.execute(
        update(PromptSummaryRow)
        .where(PromptSummaryRow.prompt_id == row.prompt_id, points_here)
        .values(published_version=row.version, published_hash=row.content_hash)
    )


def _copied(row: PromptRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in COPIED}


def _published(connection: Connection, row: PromptRow) -> dict[str, Any] | None:
    """Return what is published; None if the version is not yet stored."""
    columns = select(PromptVersionRow.version, PromptVersionRow.content_hash)
    version = connection.execute(columns.where(PromptVersionRow.id == row.published_id)).first()
    if version is None:
        return None
    return {"published_version": version.version, "published_hash": version.content_hash}


def _has_changed(row: PromptRow, *names: str) -> bool:
    attributes = inspect(row).attrs
    return any(attributes[name].history.has_changes() for name in names)
