"""Labels of versions."""

import re
from collections.abc import Sequence

from promptops_platform.errors import BadRequest
from promptops_platform.field_types import alike

FIRST_LABEL = "v1"
# Names the working copy wherever a version label is accepted.
DRAFT = "draft"
NUMBERED_LABEL = re.compile(r"v([0-9]{1,18})")


def is_reserved(label: str) -> bool:
    """Whether the label could be mistaken for the working copy."""
    return alike(label) == DRAFT


def refuse_reserved(label: str) -> None:
    """Raises BadRequest."""
    if is_reserved(label):
        raise BadRequest(
            f"version: {label!r} names the working copy; choose another label, such as v2"
        )


def next_label(taken: Sequence[str]) -> str:
    """Return the `vN` after the highest one that is taken."""
    numbers = [int(match[1]) for label in taken if (match := NUMBERED_LABEL.fullmatch(label))]
    number = max(numbers, default=0) + 1
    while f"v{number}" in taken:
        number += 1
    return f"v{number}"
