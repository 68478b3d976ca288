"""Texts as Prefect's database and pages can hold them."""

from __future__ import annotations

MESSAGE_CHARACTERS = 2_000
_NAME_CHARACTERS = 200


def printable(text: str, limit: int = _NAME_CHARACTERS) -> str:
    """The text without NUL and lone surrogates, at most `limit` characters of it."""
    cut = text[:limit]
    return "".join(character if character.isprintable() else "\ufffd" for character in cut)
