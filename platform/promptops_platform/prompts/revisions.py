"""Which state of a prompt a caller has seen: `If-Match`, or `if_revision` in the body.

A field that an answer has is never a precondition: existing consoles send back whole prompts, more
than once without reading them again.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Header

from promptops_platform.db.tables import PromptRow
from promptops_platform.errors import BadRequest, Conflict
from promptops_platform.http.error_answers import quoted
from promptops_platform.prompts.body import ServedVersion
from promptops_platform.prompts.schemas import Prompt

ANY = "*"
# Some proxies make an entity tag weak when they compress the answer.
ENTITY_TAG = re.compile(r'(?:W/)?"([a-z0-9-]{1,40})"')
REVISION = re.compile(r"[0-9]{1,18}")

IfMatch = Annotated[str | None, Header(description="The etag of the prompt as it was read.")]


class EditedMeanwhile(Conflict):
    """Somebody else saved first; the answer holds what is there now."""

    code = "edited_meanwhile"


def etag(row: PromptRow) -> str:
    """The entity tag of a prompt."""
    return f'"{row.revision}"'


def seen_revisions(if_match: str | None, if_revision: int | None) -> frozenset[int] | None:
    """The revisions that a caller takes for the newest; None where the last write shall win.

    Raises BadRequest for a header that names no revision of ours, or another than the body.
    """
    tags = named_tags(if_match)
    if tags is not None and not all(REVISION.fullmatch(tag) for tag in tags):
        raise not_a_tag(if_match)
    named = None if tags is None else frozenset(int(tag) for tag in tags)
    return agreed(named, if_revision, if_match)


def named_tags(if_match: str | None) -> frozenset[str] | None:
    """The entity tags of a header without their quotes; None where any will do."""
    if if_match is None or if_match.strip() == ANY:
        return None
    tags = [ENTITY_TAG.fullmatch(each.strip()) for each in if_match.split(",")]
    if not all(tags):
        raise not_a_tag(if_match)
    return frozenset(tag[1] for tag in tags if tag)


def not_a_tag(if_match: str | None) -> BadRequest:
    return BadRequest(
        f"if-match: {quoted(if_match)} names no revision; send the etag as you read it, like "
        '"3" with its quotes'
    )


def agreed(
    named: frozenset[int] | None, if_revision: int | None, if_match: str | None
) -> frozenset[int] | None:
    """What header and body say together; raises BadRequest where they contradict each other."""
    if if_revision is None:
        return named
    if named is not None and if_revision not in named:
        raise BadRequest(
            f"if_revision: the body says {if_revision}, the header if-match {quoted(if_match)}; "
            "send one of them"
        )
    return frozenset({if_revision})


def refuse_outdated(
    row: PromptRow,
    published: ServedVersion | None,
    seen: frozenset[int] | None,
    *,
    mine: Mapping[str, Any] | None = None,
) -> None:
    """Raises EditedMeanwhile when the row is at none of the revisions that were seen; `mine` is the
    edit that would overwrite it."""
    if seen is None or row.revision in seen:
        return
    current = Prompt.shown(row, published).model_dump(mode="json")
    expected = " or ".join(str(each) for each in sorted(seen))
    action = "merge your edit into `current` and send it" if mine else "look at `current` and try"
    raise EditedMeanwhile(
        f"if_revision: you have seen revision {expected} of {quoted(row.key)}, but "
        f"{quoted(row.updated_by)} changed it at {current['updated_at']}; {action} "
        f"{'with' if mine else 'again with'} if_revision {row.revision}",
        fields={
            "current": current,
            **({} if mine is None else {"mine": dict(mine)}),
            "changed_by": row.updated_by,
            "changed_at": current["updated_at"],
        },
    )
