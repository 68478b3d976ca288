"""Small files of the data folder: read safely, and written atomically."""

import contextlib
import os
import secrets
import stat
from pathlib import Path

LONGEST_BYTES = 64 * 1024
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class FileNotUsable(ValueError):
    """The file can't be read or written; the message names it and says why."""


def create_private(path: Path, text: str) -> None:
    """Write `text` to a new file, unless it exists; raises FileNotUsable.

    The file is readable only by its owner from the start, and appears completely or not at all. If
    two processes create it at once, the first one's text stays, so read the file afterwards.
    """
    draft = _write_draft(path, text)
    try:
        # A link, not a rename, which would replace a file that another process has created first.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        draft.unlink()


def replace_private(path: Path, text: str) -> None:
    """Replace the text of a file; raises FileNotUsable. After a power cut the file contains the old
    text or the new one."""
    draft = _write_draft(path, text)
    try:
        draft.replace(path)
    except OSError as error:
        draft.unlink()
        raise _not_written(path, error) from error


def read_private(path: Path) -> str | None:
    """Return the stripped text of a file, None if it doesn't exist; raises FileNotUsable.

    It never blocks, even if the file is a pipe. The file becomes readable only by its owner, if
    this user may change that.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if path.is_symlink():
            raise FileNotUsable(f"{path} is a link to a file that is missing") from None
        return None
    except OSError as error:
        raise FileNotUsable(f"can't read {path} ({error.strerror})") from error
    try:
        _check_kind(path, descriptor)
        content = os.read(descriptor, LONGEST_BYTES)
    finally:
        os.close(descriptor)
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        raise FileNotUsable(f"{path} contains no text") from None


def _check_kind(path: Path, descriptor: int) -> None:
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        raise FileNotUsable(f"{path} is not a file")
    if mode & OTHERS:
        with contextlib.suppress(PermissionError):
            os.fchmod(descriptor, stat.S_IMODE(mode) & ~OTHERS)


def _write_draft(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise _not_written(path, error) from error
    return draft


def _not_written(path: Path, error: OSError) -> FileNotUsable:
    return FileNotUsable(
        f"can't write {path} ({error.strerror}); make room on its disk, or set PROMPTOPS_DATA to a "
        "folder that this user may write to"
    )
