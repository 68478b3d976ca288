"""The Unix socket on which the engine listens."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

_BACKLOG = 512


class SocketInUseError(RuntimeError):
    """Something is there that must not be replaced; one sentence."""


def listen_on(path: Path) -> socket.socket:
    """Listen on `path`, for this user only; a socket that a dead engine left is replaced.

    Makes the folder when there is none. Raises `SocketInUseError`, or OSError when the file system
    or the length of the path (about 100 bytes on most systems) doesn't allow it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        # Nobody can connect before `listen`, so nobody gets in before the mode is right.
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _remove_stale(path: Path) -> None:
    if not path.exists():
        return
    if not path.is_socket():
        raise SocketInUseError(f"{path} exists and is not a socket, move it away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise SocketInUseError(f"another engine listens on {path}, stop it first")
