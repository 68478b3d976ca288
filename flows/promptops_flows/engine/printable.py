"""Texts that Prefect's database and pages can store and show."""

from __future__ import annotations

MESSAGE_CHARACTERS = 2_000
_NAME_CHARACTERS = 200


def printable(text: str, limit: int = _NAME_CHARACTERS) -> str:
    """The first `limit` characters of the text, without NUL and lone surrogates."""
    cut = text[:limit]
    return "".join(character if character.isprintable() else "\ufffd" for character in cut)
