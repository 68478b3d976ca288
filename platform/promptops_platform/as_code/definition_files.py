"""YAML files of everything but prompts: the fields of the API, without default values."""

from __future__ import annotations

from promptops_platform.as_code.resources import DEFAULTS, Content, Identity, Kind
from promptops_platform.as_code.yaml_text import Document, FileError, dump


def parse(text: str, kind: Kind, *, key: str) -> Content:
    """Parse a definition; the file's path contains its key. Raises FileError."""
    document = Document(text.replace("\r\n", "\n"))
    fields = tuple(DEFAULTS[kind])
    for name in document.values:
        if name not in ("key", *fields):
            raise FileError(
                f"{name!r} is not a field of {kind}s; use {', '.join(fields)}",
                document.line_of(name),
            )
    if document.values.get("key", key) != key:
        raise FileError(
            f"key is {document.values['key']!r}, but the path says {key!r}; rename the file",
            document.line_of("key"),
        )
    return Content.of(kind, document.values)


def write(identity: Identity, content: Content) -> str:
    """Return a file that `parse` reads back to the same content."""
    return dump({"key": identity.key, **content.values})
