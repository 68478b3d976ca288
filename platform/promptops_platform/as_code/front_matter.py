"""A file with front matter: YAML between two lines of `---`, followed by a text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from promptops_platform.as_code.yaml_text import Document, FileError, dump

_FENCE = re.compile(r"---[ \t]*\n")
_END = re.compile(r"^---[ \t]*(?:\n|\Z)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FileParts:
    """`body_line` is the line in which the body begins, counted from 1."""

    front: Document
    body: str
    body_line: int


def split(text: str) -> FileParts:
    """Split a file into its parts; one without front matter is only a body.

    Raises FileError.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    opening = _FENCE.match(text)
    if opening is None:
        return FileParts(Document(""), text, 1)
    closing = _END.search(text, opening.end())
    if closing is None:
        raise FileError("the front matter has no end; close it with a line of ---", 1)
    front = Document(text[opening.end() : closing.start()], first_line=2)
    return FileParts(front, text[closing.end() :], text.count("\n", 0, closing.end()) + 1)


def join(front: dict[str, object], body: str) -> str:
    """Join the parts to a file, which `split` separates again; a body that is not empty gets a line
    break."""
    return f"---\n{dump(front)}---\n" + (f"{body}\n" if body else "")
