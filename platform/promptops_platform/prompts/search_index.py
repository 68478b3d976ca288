"""The tables behind the lists of prompts, kept with each change of a prompt.

They are updated by mapper events, not by the service, so no code that changes a `PromptRow` can
forget them. Statements that change the table directly bypass them.
"""

from typing import Any

from sqlalchemy import Connection, delete, event, insert, inspect, update
from sqlalchemy.orm import Mapper

from promptops_platform.db.search import fold, tags_in
from promptops_platform.prompts.tables import PromptRow, PromptSearchRow, PromptTagRow

LONGEST_TAGGED_CATEGORY = 300
SEARCHED = ("key", "name", "content")
SORTED_AND_TESTED = ("workspace_id", "env", "category", "updated_at")


def search_values(row: PromptRow) -> dict[str, Any]:
    """Return the columns of `prompt_search` for a prompt."""
    return {"prompt_id": row.id, "text": _text(row), **_sort_and_filter_columns(row)}


def tag_values(row: PromptRow) -> list[dict[str, Any]]:
    """Return the rows of `prompt_tags` for a prompt."""
    shared = {"prompt_id": row.id, **_tag_columns(row)}
    return [{"tag": tag, **shared} for tag in tags_in(row.tags)]


def _text(row: PromptRow) -> str:
    # A search term is a single line, so it never matches across two of these fields.
    return fold("\n".join(getattr(row, name) for name in SEARCHED))


def _sort_and_filter_columns(row: PromptRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in SORTED_AND_TESTED}


def _tag_columns(row: PromptRow) -> dict[str, Any]:
    category = row.category if len(row.category) <= LONGEST_TAGGED_CATEGORY else None
    return {
        "workspace_id": row.workspace_id,
        "env": row.env,
        "category": category,
        "updated_at": row.updated_at,
    }


@event.listens_for(PromptRow, "after_insert")
def _add(_mapper: Mapper[Any], connection: Connection, row: PromptRow) -> None:
    connection.execute(insert(PromptSearchRow), search_values(row))
    _add_tags(connection, row)


@event.listens_for(PromptRow, "after_update")
def _change(_mapper: Mapper[Any], connection: Connection, row: PromptRow) -> None:
    """Apply a change; the text index is written only if a text has changed."""
    values = _sort_and_filter_columns(row)
    if _has_changed(row, *SEARCHED):
        values["text"] = _text(row)
    result = connection.execute(
        update(PromptSearchRow).where(PromptSearchRow.prompt_id == row.id).values(values)
    )
    if not result.rowcount:
        # The prompt was created by an older release that is still running beside this one.
        _add(_mapper, connection, row)
    elif _has_changed(row, "tags"):
        connection.execute(delete(PromptTagRow).where(PromptTagRow.prompt_id == row.id))
        _add_tags(connection, row)
    elif row.tags:
        connection.execute(
            update(PromptTagRow).where(PromptTagRow.prompt_id == row.id).values(_tag_columns(row))
        )


def _add_tags(connection: Connection, row: PromptRow) -> None:
    values = tag_values(row)
    if values:
        connection.execute(insert(PromptTagRow), values)


def _has_changed(row: PromptRow, *names: str) -> bool:
    attributes = inspect(row).attrs
    return any(attributes[name].history.has_changes() for name in names)
