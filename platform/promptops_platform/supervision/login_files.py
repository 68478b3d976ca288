"""Generated passwords that outlive a restart, each in a file of its own."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from promptops_platform.private_file import FileNotUsable, create_private, read_private

_USER = "admin"
# What an environment variable and a header of HTTP can carry.
_LOGIN = re.compile(r"[!-9;-~]+:[!-~]+")
_REMEDY = "Remove it, and the next start makes a new password."


class UnreadableCredentialsError(ValueError):
    """The file can't be used, or holds no `user:password`; the text names it."""


def stored_credentials(path: Path) -> str:
    """`admin:password` from the file at `path`, generated at the first call.

    The file is readable by its owner only. Raises `UnreadableCredentialsError` when somebody
    emptied or mangled it.
    """
    text = read_credentials(path)
    if text is None:
        try:
            create_private(path, f"{_USER}:{secrets.token_urlsafe(24)}\n")
        except FileNotUsable as error:
            raise UnreadableCredentialsError(str(error)) from error
        text = read_credentials(path)
    assert text is not None
    return text


def read_credentials(path: Path) -> str | None:
    """The `user:password` in the file, None where there is none; raises
    `UnreadableCredentialsError`."""
    try:
        text = read_private(path)
    except FileNotUsable as error:
        raise UnreadableCredentialsError(f"{error}. {_REMEDY}") from error
    if text is not None and not _LOGIN.fullmatch(text):
        raise UnreadableCredentialsError(f"{path} holds no line user:password. {_REMEDY}")
    return text
