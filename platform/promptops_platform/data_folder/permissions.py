"""Ensures that only the platform's user can put files into its folders."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import structlog

from promptops_platform.data_folder.errors import DataFolderNotUsable

log = structlog.get_logger(__name__)

# Every entry of these is checked; deeper ones can be reached only through them.
FOLDERS = ("", "prefect", "logs")


def remove_write_permissions(data: Path, database: Path | None) -> None:
    """Remove the write permission of all other users from the data folder and its files, and log
    what was corrected. `database` is the file of a SQLite registry, which may be elsewhere.

    Raises DataFolderNotUsable if this user may not do that.
    """
    _refuse_shared(data)
    if database is not None:
        _refuse_open(database.absolute().parent, data.absolute())
    for path in _entries(data):
        if _others_write(path):
            _correct(path, data)


def _refuse_shared(data: Path) -> None:
    if _others_write(data) and data.stat().st_mode & stat.S_ISVTX:
        raise DataFolderNotUsable(
            f"all users of this machine share the folder {data}; set PROMPTOPS_DATA to a folder of "
            "its own, such as one below it"
        )


def _refuse_open(folder: Path, data: Path) -> None:
    """A folder outside of the data folder may be shared on purpose, so nothing is corrected
    there."""
    if folder == data or not folder.is_dir() or folder.stat().st_mode & stat.S_ISVTX:
        return
    if _others_write(folder):
        raise DataFolderNotUsable(
            f"every user of this machine may replace files in {folder}; run: chmod o-w {folder}, "
            "or name a database in another folder in PROMPTOPS_DB"
        )


def _correct(path: Path, data: Path) -> None:
    try:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~stat.S_IWOTH)
    except OSError as error:
        raise DataFolderNotUsable(
            f"every user of this machine may write to {path}, and this user may not change that "
            f"({error.strerror}); run: chmod -R o-w {data}, or set PROMPTOPS_DATA to a folder "
            "below it, which the start makes"
        ) from error
    log.warning("others_kept_out", path=str(path))


def _entries(folder: Path) -> Iterator[Path]:
    yield folder
    for name in FOLDERS:
        below = folder / name
        if below.is_dir():
            with os.scandir(below) as entries:
                yield from (Path(entry.path) for entry in entries if not entry.is_symlink())


def _others_write(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IWOTH)
