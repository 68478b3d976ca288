"""The log files of child processes: appended to, and rotated by size when a child starts."""

from __future__ import annotations

import os
from pathlib import Path

_KEPT = 3


def open_log(path: Path, *, limit: int) -> int:
    """Return a file descriptor that appends to `path`; a file over `limit` bytes is first renamed
    to `path.1`.

    At most three older ones are kept. Rotation happens only here, because the child keeps the
    descriptor until its end.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > limit:
        _rotate(path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _rotate(path: Path) -> None:
    for number in range(_KEPT - 1, 0, -1):
        older = _numbered(path, number)
        if older.exists():
            older.replace(_numbered(path, number + 1))
    path.replace(_numbered(path, 1))


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
