"""Checks the files of the platform's children in the data folder before they start: a child that
can't use one would end and be restarted for ever."""

import stat
from collections.abc import Callable
from pathlib import Path

from promptops_flows.processes.children import ENGINE, PREFECT_SERVER, prefect_home
from promptops_flows.processes.prefect_files import PrefectFilesNotUsable, check_prefect_files
from promptops_platform.data_folder.errors import DataFolderNotUsable

LOGS = "logs"
ENGINE_SOCKET = "engine.sock"
ENGINE_LOCK = "engine.lock"
MOVE_AWAY = "move it away, and the next start makes a new one"


def check_engine_files(data: Path) -> None:
    """Raises DataFolderNotUsable for files that the run engine can't start with."""
    _expect(data / ENGINE_SOCKET, stat.S_ISSOCK, "a socket")
    _expect(data / ENGINE_LOCK, stat.S_ISREG, "a file")
    try:
        check_prefect_files(prefect_home(data), with_server=False)
    except PrefectFilesNotUsable as error:
        raise DataFolderNotUsable(str(error)) from error


def check_children_files(data: Path, *, with_prefect: bool) -> None:
    """Raises DataFolderNotUsable for files that the run engine and, if it is used, the embedded
    Prefect server can't start with."""
    check_engine_files(data)
    _expect(data / LOGS, stat.S_ISDIR, "a folder")
    for name in (ENGINE, PREFECT_SERVER):
        _expect(data / LOGS / f"{name}.log", stat.S_ISREG, "a file")
    if not with_prefect:
        return
    try:
        check_prefect_files(prefect_home(data), with_server=True)
    except PrefectFilesNotUsable as error:
        raise DataFolderNotUsable(str(error)) from error


def _expect(path: Path, is_kind: Callable[[int], bool], kind: str) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise DataFolderNotUsable(
                f"{path} is a link to something that is missing; {MOVE_AWAY}"
            ) from None
        return
    except OSError as error:
        raise DataFolderNotUsable(
            f"can't look at {path} ({error.strerror}); {MOVE_AWAY}"
        ) from error
    if not is_kind(mode):
        raise DataFolderNotUsable(f"{path} must be {kind}; {MOVE_AWAY}")
