"""The data folder: one platform at a time, and an identity that outlives restarts."""

import fcntl
import os
from pathlib import Path
from typing import Self

from promptops_platform.ids import new_id

LOCK_FILE = "lock"
INSTANCE_FILE = "instance"


class DataFolderInUse(Exception):
    """Another platform runs on the folder; the text names its pid."""


class DataFolderNotUsable(Exception):
    """The folder can't be made or written to."""


class DataFolderLock:
    """Held for as long as a platform runs; the system releases it when the process dies."""

    def __init__(self, data: Path) -> None:
        self._path = data / LOCK_FILE
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Raises DataFolderInUse, or DataFolderNotUsable."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = self._open()
        except OSError as error:
            raise DataFolderNotUsable(
                f"can't write to the data folder {self._path.parent} ({error.strerror}); "
                "set PROMPTOPS_DATA to a folder that this user may write to"
            ) from error
        self._take(descriptor)
        return self

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

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
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def __exit__(self, *_error: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def holder(data: Path) -> str | None:
    """The pid of the platform that runs on the folder, None where none does. Changes nothing."""
    try:
        descriptor = os.open(data / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
    finally:
        # Which also lets go of the lock.
        os.close(descriptor)
    return None


def instance_id(data: Path) -> str:
    """This platform's identity, made at its first start."""
    path = data / INSTANCE_FILE
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(new_id(), encoding="ascii")
    draft.replace(path)
    return path.read_text(encoding="ascii").strip()
