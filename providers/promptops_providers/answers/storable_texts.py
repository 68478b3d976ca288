"""Texts from elsewhere as databases, sockets and JSON can hold them.

Vendors escape characters beyond U+FFFF as two halves, and may send one half alone, or each in a
piece of its own. Half a character has no UTF-8 form, and PostgreSQL takes no NUL.
"""

from __future__ import annotations

import math
import re
from typing import Any

REPLACEMENT = "\ufffd"
NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """The text with halves that belong together joined, and U+FFFD for what can't be stored."""
    if NOT_STORABLE.search(text) is None:
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", REPLACEMENT)


def storable_json(value: Any) -> Any:
    """As `storable`, for every text in a JSON value; NaN and infinities, which are not JSON, become
    null."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [storable_json(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): storable_json(item) for name, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


class StorablePieces:
    """Pieces of one text, each made storable: the first half of a character waits for the second
    one in the next piece."""

    def __init__(self) -> None:
        self._half = ""

    def add(self, piece: str) -> str:
        """What can be shown now; it may be empty."""
        piece = self._half + piece
        self._half = piece[-1] if "\ud800" <= piece[-1:] <= "\udbff" else ""
        return storable(piece[: len(piece) - len(self._half)])

    def end(self) -> str:
        """What still waited."""
        half, self._half = self._half, ""
        return storable(half)
