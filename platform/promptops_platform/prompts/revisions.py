"""Which state of a prompt an editor has seen: `If-Match`, or `revision` in the body."""

import re
from collections.abc import Mapping
from typing import Any

from promptops_platform.db.tables import PromptRow
from promptops_platform.errors import BadRequest, Conflict
from promptops_platform.http.error_answers import quoted
from promptops_platform.prompts.schemas import Prompt

ANY = "*"
# Some proxies make an entity tag weak when they compress the answer.
ENTITY_TAG = re.compile(r'(?:W/)?"([0-9]{1,18})"')


class EditedMeanwhile(Conflict):
    """Somebody else saved first; the answer holds both sides."""

    code = "edited_meanwhile"


def etag(row: PromptRow) -> str:
    """The entity tag of a prompt."""
    return f'"{row.revision}"'


def seen_revisions(if_match: str | None, revision: int | None) -> frozenset[int] | None:
    """The revisions that an editor takes for the newest; None where the last write shall win.

    Raises BadRequest for a header that names no revision of ours, or another than the body.
    """
    named = None if if_match is None else _named(if_match)
    if revision is None:
        return named
    if named is not None and revision not in named:
        raise BadRequest(
            f"revision: the body says {revision}, the header if-match {quoted(if_match)}; send "
            "one of them"
        )
    return frozenset({revision})


def _named(if_match: str) -> frozenset[int] | None:
    if if_match.strip() == ANY:
        return None
    tags = [ENTITY_TAG.fullmatch(each.strip()) for each in if_match.split(",")]
    if not all(tags):
        raise BadRequest(
            f"if-match: {quoted(if_match)} names no revision; send the etag of the prompt as you "
            'read it, like "3" with its quotes'
        )
    return frozenset(int(tag[1]) for tag in tags if tag)


def refuse_outdated(
    row: PromptRow,
    published_version: str | None,
    seen: frozenset[int] | None,
    *,
    mine: Mapping[str, Any],
) -> None:
    """Raises EditedMeanwhile when the row is at none of the revisions that were seen."""
    if seen is None or row.revision in seen:
        return
    current = Prompt.of(row, published_version=published_version).model_dump(mode="json")
    expected = " or ".join(str(each) for each in sorted(seen))
    raise EditedMeanwhile(
        f"revision: you edited revision {expected} of {quoted(row.key)}, but "
        f"{quoted(row.updated_by)} changed it at {current['updated_at']}; merge your edit into "
        f"`current` and send it with revision {row.revision}",
        fields={
            "current": current,
            "mine": dict(mine),
            "changed_by": row.updated_by,
            "changed_at": current["updated_at"],
        },
    )
