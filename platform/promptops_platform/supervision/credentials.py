"""Generated passwords that outlive a restart, each in a file of its own."""

from __future__ import annotations

import secrets
from pathlib import Path

from promptops_platform.private_file import create_private

_USER = "admin"


class UnreadableCredentialsError(ValueError):
    """The file is there, but holds no `user:password`."""


def stored_credentials(path: Path) -> str:
    """`admin:password` from the file at `path`, generated at the first call.

    The file is readable by its owner only. Raises `UnreadableCredentialsError` when somebody
    emptied or mangled it.
    """
    if not path.exists():
        create_private(path, f"{_USER}:{secrets.token_urlsafe(24)}\n")
    path.chmod(0o600)
    text = path.read_text(encoding="utf-8").strip()
    user, _, password = text.partition(":")
    if not user or not password:
        raise UnreadableCredentialsError(
            f"{path} holds no 'user:password'. Remove it, and a new password is generated."
        )
    return text
