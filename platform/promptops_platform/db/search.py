"""Patterns for LIKE."""

LIKE_ESCAPE = "\\"


def literal(text: str) -> str:
    """`text` with LIKE's own signs escaped by `LIKE_ESCAPE`."""
    for sign in (LIKE_ESCAPE, "%", "_"):
        text = text.replace(sign, LIKE_ESCAPE + sign)
    return text


def containing(text: str) -> str:
    """The pattern of everything that contains `text`."""
    return f"%{literal(text)}%"
