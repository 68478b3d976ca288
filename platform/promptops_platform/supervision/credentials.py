"""Generated passwords that outlive a restart, each in a file of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

_USER = "admin"


class UnreadableCredentialsError(ValueError):
    """The file is there, but holds no `user:password`."""


def stored_credentials(path: Path) -> str:
    """`admin:password` from the file at `path`, generated at the first call.

    The file is readable by its owner only from the first moment, and appears complete or not at
    all. Raises `UnreadableCredentialsError` when somebody emptied or mangled it.
    """
    if not path.exists():
        _create(path)
    path.chmod(0o600)
    text = path.read_text(encoding="utf-8").strip()
    user, _, password = text.partition(":")
    if not user or not password:
        raise UnreadableCredentialsError(
            f"{path} holds no 'user:password'. Remove it, and a new password is generated."
        )
    return text


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{_USER}:{secrets.token_urlsafe(24)}\n")
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: when two create it at once, both read what the first one wrote.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
