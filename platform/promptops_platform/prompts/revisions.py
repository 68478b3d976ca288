"""Refuses changes to a prompt that was edited since the caller read it."""

from collections.abc import Mapping
from typing import Any

from promptops_platform.definitions.preconditions import outdated
from promptops_platform.prompts.body import ServedVersion
from promptops_platform.prompts.schemas import Prompt
from promptops_platform.prompts.tables import PromptRow


def refuse_outdated(
    row: PromptRow,
    published: ServedVersion | None,
    seen: frozenset[int] | None,
    *,
    mine: Mapping[str, Any] | None = None,
) -> None:
    """Raises EditedMeanwhile if the row is at none of the revisions that the caller has read;
    `mine` is the caller's edit, for the error's details."""
    if seen is None or row.revision in seen:
        return
    current = Prompt.shown(row, published).model_dump(mode="json")
    state = f"revision {' or '.join(map(str, sorted(seen)))}"
    newest = f"if_revision {row.revision}"
    raise outdated(row, current, "if_revision", state, newest, mine=mine)
