"""The lock on the data folder."""

import errno
import fcntl
import os
from pathlib import Path
from typing import Self

from promptops_platform.data_folder.errors import DataFolderInUse, DataFolderNotUsable

LOCK_FILE = "lock"


class DataFolderLock:
    """Locked as long as a platform runs; the system releases the lock when the process dies."""

    def __init__(self, data: Path) -> None:
        self._path = data / LOCK_FILE
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Raises DataFolderInUse, or DataFolderNotUsable."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise self._not_usable(error) from error
        try:
            self._take(self._open())
        except IsADirectoryError as error:
            raise DataFolderNotUsable(
                f"{self._path} is a folder, where the platform keeps a lock file; move it away"
            ) from error
        except OSError as error:
            raise self._not_usable(error) from error
        return self

    def _not_usable(self, error: OSError) -> DataFolderNotUsable:
        return DataFolderNotUsable(
            f"can't write to the data folder {self._path.parent} ({error.strerror}); "
            "set PROMPTOPS_DATA to a folder that this user may write to"
        )

    def _open(self) -> int:
        # Not through a link, nor to a pipe, whose other end it would wait for.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        return os.open(self._path, flags, 0o600)

    def _take(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise DataFolderInUse(
                f"the data folder {self._path.parent} is in use by the PromptOps with pid "
                f"{holder}; stop that one, or set PROMPTOPS_DATA to another folder"
            ) from None
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        try:
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            # A full disk: the lock itself needs no space, and the pid is only for people.
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise

    def __exit__(self, *_error: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def holder(data: Path) -> str | None:
    """Return the pid of the platform that runs on the folder, None if none does. Changes
    nothing."""
    try:
        descriptor = os.open(data / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
    finally:
        # This also releases the lock.
        os.close(descriptor)
    return None
