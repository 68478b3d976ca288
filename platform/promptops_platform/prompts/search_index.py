"""The tables behind the lists of prompts, kept with each change of a prompt.

They follow the mapper, not the service: whoever changes a prompt can't forget them, as long as it
changes a `PromptRow` and not the table.
"""

from typing import Any

from sqlalchemy import Connection, delete, event, insert, inspect, update
from sqlalchemy.orm import Mapper

from promptops_platform.db.search import fold
from promptops_platform.prompts.tables import PromptRow, PromptSearchRow, PromptTagRow

# Longer tags are told apart by their beginning: an index entry of PostgreSQL is at most 2.7 KB.
LONGEST_TAG = 200
LONGEST_TAGGED_CATEGORY = 300
SEARCHED = ("key", "name", "content")
SORTED_AND_TESTED = ("workspace_id", "env", "category", "updated_at")


def tags_in(listed: str) -> list[str]:
    """The tags of a comma-separated list, folded; blanks count nowhere."""
    names = fold("".join(listed.split())).split(",")
    return list(dict.fromkeys(name[:LONGEST_TAG] for name in names if name))


def search_values(row: PromptRow) -> dict[str, Any]:
    """The columns of `prompt_search` for a prompt."""
    return {"prompt_id": row.id, "text": _text(row), **_sorted_and_tested(row)}


def tag_values(row: PromptRow) -> list[dict[str, Any]]:
    """The rows of `prompt_tags` for a prompt."""
    shared = {"prompt_id": row.id, **_tag_columns(row)}
    return [{"tag": tag, **shared} for tag in tags_in(row.tags)]


def _text(row: PromptRow) -> str:
    # A searched text is one line, so it is never found across two of these.
    return fold("\n".join(getattr(row, name) for name in SEARCHED))


def _sorted_and_tested(row: PromptRow) -> dict[str, Any]:
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
    """Follow a change; the texts' index is written only where a text has changed."""
    values = _sorted_and_tested(row)
    if _has_changed(row, *SEARCHED):
        values["text"] = _text(row)
    result = connection.execute(
        update(PromptSearchRow).where(PromptSearchRow.prompt_id == row.id).values(values)
    )
    if not result.rowcount:
        # An older release, still running beside this one, has made the prompt.
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
