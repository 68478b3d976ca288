"""The Unix socket that the engine listens on."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

_BACKLOG = 512


class SocketInUseError(RuntimeError):
    """The path is in use and must not be replaced; the message is one sentence."""


def listen_on(path: Path) -> socket.socket:
    """Listen on `path`, for this user only; replaces a socket that a dead engine left behind.

    Creates the folder if it doesn't exist. Raises `SocketInUseError`, or OSError if the file system
    or the length of the path (about 100 bytes on most systems) doesn't allow it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        # Nobody can connect before `listen`, so the mode is set in time.
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
