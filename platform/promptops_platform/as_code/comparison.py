"""Compares a folder with a server, and finds out which side has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from promptops_platform.as_code.remote import Stored
from promptops_platform.as_code.resources import KINDS, Content, Identity
from promptops_platform.as_code.sync_state import Base


class Status(StrEnum):
    SAME = "the same"
    NEW_HERE = "new in the folder"
    NEW_THERE = "new on the server"
    CHANGED_HERE = "changed in the folder"
    CHANGED_THERE = "changed on the server"
    DELETED_HERE = "deleted in the folder"
    DELETED_THERE = "deleted on the server"
    CONFLICT = "changed on both sides"


@dataclass(frozen=True, slots=True)
class Difference:
    """`here` is the folder's content, `there` the server's; None if it doesn't exist."""

    identity: Identity
    status: Status
    here: Content | None
    there: Stored | None


def compare(
    here: Mapping[Identity, Content],
    there: Mapping[Identity, Stored],
    bases: Mapping[Identity, Base],
) -> list[Difference]:
    """Return every resource of either side, including equal ones, in order."""
    return [
        Difference(
            identity,
            _status(here.get(identity), there.get(identity), bases.get(identity)),
            here.get(identity),
            there.get(identity),
        )
        for identity in sorted({*here, *there}, key=_order)
    ]


def _order(identity: Identity) -> tuple[int, Identity]:
    return KINDS.index(identity.kind), identity


def _status(here: Content | None, there: Stored | None, base: Base | None) -> Status:
    if here is not None and there is not None and here == there.content:
        return Status.SAME
    changed_here = base is not None and (here is None or here.hash != base.hash)
    changed_there = base is not None and (there is None or there.revision != base.revision)
    if base is not None and changed_here and changed_there:
        return Status.CONFLICT
    if here is None:
        return Status.NEW_THERE if base is None else Status.DELETED_HERE
    if there is None:
        return Status.NEW_HERE if base is None else Status.DELETED_THERE
    if base is None:
        # Both sides have it, and it is unknown which one is older.
        return Status.CONFLICT
    return Status.CHANGED_HERE if changed_here else Status.CHANGED_THERE
