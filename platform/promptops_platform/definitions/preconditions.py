"""The state of a resource that a caller has read: `If-Match`, or `if_revision` in the body.

A field of a response is never a precondition: existing consoles send whole objects back, sometimes
more than once without reading them again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import Header

from promptops_platform.errors import BadRequest, Conflict
from promptops_platform.http.error_answers import quoted

ANY = "*"
# Some proxies turn an entity tag into a weak one when they compress the response.
ENTITY_TAG = re.compile(r'(?:W/)?"([a-z0-9-]{1,40})"')
REVISION = re.compile(r"[0-9]{1,18}")

IfMatch = Annotated[str | None, Header(description="The etag that you received with the resource.")]


class EditedMeanwhile(Conflict):
    """The resource has been changed since; the response contains its current state."""

    code = "edited_meanwhile"


class Revised(Protocol):
    """A working copy that counts its saved changes."""

    @property
    def key(self) -> Any: ...
    @property
    def revision(self) -> Any: ...
    @property
    def updated_by(self) -> Any: ...
    @property
    def updated_at(self) -> Any: ...


class Versioned(Revised, Protocol):
    """A working copy that also counts the edits of its definition."""

    @property
    def version(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """Revisions, or a version, one of which must be the newest."""

    revisions: frozenset[int] | None = None
    version: int | None = None

    def is_newest(self, row: Versioned) -> bool:
        """Whether the row is unchanged since it was read."""
        if self.version is not None and self.version != row.version:
            return False
        return self.revisions is None or row.revision in self.revisions


def etag(row: Revised) -> str:
    """Return the entity tag of a working copy."""
    return f'"{row.revision}"'


def seen_revisions(if_match: str | None, if_revision: int | None) -> frozenset[int] | None:
    """Return the revisions that the caller accepts as the newest; None if the last write wins.

    Raises BadRequest if the header isn't one of our revisions, or contradicts the body.
    """
    tags = named_tags(if_match)
    if tags is not None and not all(REVISION.fullmatch(tag) for tag in tags):
        raise not_a_tag(if_match)
    revisions = None if tags is None else frozenset(int(tag) for tag in tags)
    return agreed(revisions, if_revision, if_match)


def named_tags(if_match: str | None) -> frozenset[str] | None:
    """Return the entity tags of a header without their quotes; None if any will do."""
    if if_match is None or if_match.strip() == ANY:
        return None
    tags = [ENTITY_TAG.fullmatch(tag.strip()) for tag in if_match.split(",")]
    if not all(tags):
        raise not_a_tag(if_match)
    return frozenset(tag[1] for tag in tags if tag)


def not_a_tag(if_match: str | None) -> BadRequest:
    return BadRequest(
        f"if-match: {quoted(if_match)} names no revision; send the etag as you read it, like "
        '"3" with its quotes'
    )


def agreed(
    revisions: frozenset[int] | None, if_revision: int | None, if_match: str | None
) -> frozenset[int] | None:
    """Return what header and body say together; raises BadRequest if they contradict each other."""
    if if_revision is None:
        return revisions
    if revisions is not None and if_revision not in revisions:
        raise BadRequest(
            f"if_revision: the body says {if_revision}, the header if-match {quoted(if_match)}; "
            "send one of them"
        )
    return frozenset({if_revision})


def edited_meanwhile(
    row: Versioned, current: Mapping[str, Any], seen: Seen, *, mine: Mapping[str, Any] | None
) -> EditedMeanwhile:
    """Return the error for a change to a row that is at none of the states that were read."""
    if seen.version is not None and seen.version != row.version:
        newest = f"if_version {row.version}"
        field, state = "if_version", f"version {seen.version}"
        return outdated(row, current, field, state, newest, mine=mine)
    return revised(row, current, seen.revisions or frozenset(), mine=mine)


def require_newest(
    row: Revised,
    revisions: frozenset[int] | None,
    current: Mapping[str, Any],
    *,
    mine: Mapping[str, Any] | None = None,
) -> None:
    """Raises EditedMeanwhile for a row that is at none of the revisions that were read."""
    if revisions is not None and row.revision not in revisions:
        raise revised(row, current, revisions, mine=mine)


def revised(
    row: Revised,
    current: Mapping[str, Any],
    revisions: frozenset[int],
    *,
    mine: Mapping[str, Any] | None,
) -> EditedMeanwhile:
    """Return the error for a change to a row that has another revision."""
    state = f"revision {' or '.join(map(str, sorted(revisions)))}"
    return outdated(row, current, "if_revision", state, f"if_revision {row.revision}", mine=mine)


def outdated(
    row: Revised,
    current: Mapping[str, Any],
    field: str,
    state: str,
    newest: str,
    *,
    mine: Mapping[str, Any] | None,
) -> EditedMeanwhile:
    """Return the error: the caller sent `state` in `field`, and should send `newest` instead."""
    changed_at = current["updated_at"]
    remedy = (
        f"merge your edit into `current` and send it with {newest}"
        if mine is not None
        else f"look at `current` and try again with {newest}"
    )
    return EditedMeanwhile(
        f"{field}: you have seen {state} of {quoted(row.key)}, but {quoted(row.updated_by)} "
        f"changed it at {changed_at}; {remedy}",
        fields={
            "current": dict(current),
            **({} if mine is None else {"mine": dict(mine)}),
            "changed_by": row.updated_by,
            "changed_at": changed_at,
        },
    )
