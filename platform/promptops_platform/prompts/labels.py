"""Labels of versions."""

import re
from collections.abc import Sequence

FIRST_LABEL = "v1"
NUMBERED_LABEL = re.compile(r"v([0-9]{1,18})")


def next_label(taken: Sequence[str]) -> str:
    """The `vN` after the highest one that is taken."""
    numbers = [int(found[1]) for label in taken if (found := NUMBERED_LABEL.fullmatch(label))]
    number = max(numbers, default=0) + 1
    while f"v{number}" in taken:
        number += 1
    return f"v{number}"
