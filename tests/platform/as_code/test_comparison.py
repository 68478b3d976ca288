"""Who has changed what since folder and server were the same."""

import pytest

from promptops_platform.as_code.comparison import Status, compare
from promptops_platform.as_code.remote import Stored
from promptops_platform.as_code.resources import Content, Identity
from promptops_platform.as_code.sync_state import Base

GREETING = Identity("prompt", "greeting", "prod")
A, B, C = (Content("prompt", {"content": text}) for text in "abc")


@pytest.mark.parametrize(
    ("here", "there", "base", "status"),
    [
        (A, (A, 2), None, Status.SAME),
        (A, (A, 2), (B, 1), Status.SAME),
        (A, None, None, Status.NEW_HERE),
        (None, (A, 1), None, Status.NEW_THERE),
        (B, (A, 1), (A, 1), Status.CHANGED_HERE),
        (A, (B, 2), (A, 1), Status.CHANGED_THERE),
        (None, (A, 1), (A, 1), Status.DELETED_HERE),
        (A, None, (A, 1), Status.DELETED_THERE),
        (B, (C, 2), (A, 1), Status.CONFLICT),
        (B, None, (A, 1), Status.CONFLICT),
        (None, (B, 2), (A, 1), Status.CONFLICT),
        (A, (B, 1), None, Status.CONFLICT),
    ],
)
def test_each_case(
    here: Content | None,
    there: tuple[Content, int] | None,
    base: tuple[Content, int] | None,
    status: Status,
) -> None:
    (difference,) = compare(
        {GREETING: here} if here else {},
        {GREETING: Stored("id", there[1], there[0])} if there else {},
        {GREETING: Base("id", base[1], base[0].hash)} if base else {},
    )
    assert difference.status is status
