"""Checks the data folder: exists, writable, in use, and with free space."""

import os
import shutil
import stat
from pathlib import Path

from promptops_platform.data_folder import DataFolderNotUsable, holder, read_instance
from promptops_platform.data_folder.files import check_children_files
from promptops_platform.diagnosis.finding import Finding, Findings, ok, problem, warning
from promptops_platform.settings import Settings
from promptops_platform.supervision.login_files import (
    UnreadableCredentialsError,
    read_credentials,
)

CHECK = "data folder"
LEAST_SPACE = 100 * 1024**2
LITTLE_SPACE = 1024**3
OTHER_FOLDER = "set PROMPTOPS_DATA to a folder that this user may write to"


async def check_folder(settings: Settings) -> Findings:
    """Check the folder itself, its space, and whether its path is short enough for a socket."""
    data = settings.data.absolute()
    findings = [_writable(data), _space(data)]
    try:
        _ = settings.engine_socket
    except ValueError as error:
        findings.append(problem(CHECK, f"{error}", "set PROMPTOPS_DATA to a shorter path"))
    return [*findings, *_files(settings)]


def _files(settings: Settings) -> Findings:
    """Check what a start would refuse or correct."""
    data, findings = settings.data, []
    with_prefect = settings.prefect_api_url is None
    try:
        read_instance(data)
        check_children_files(data, with_prefect=with_prefect)
        if with_prefect:
            read_credentials(data / "prefect" / "credentials")
    except (DataFolderNotUsable, UnreadableCredentialsError) as error:
        findings.append(problem(CHECK, f"{error}", "see docs/operations.md"))
    if data.is_dir() and data.stat().st_mode & stat.S_IWOTH:
        text = f"every user of this machine may write to {data}"
        findings.append(warning(CHECK, text, f"chmod -R o-w {data}; the next start does that, too"))
    return findings


def _writable(data: Path) -> Finding:
    if not data.exists():
        above = _existing(data)
        if os.access(above, os.W_OK | os.X_OK):
            return ok(CHECK, f"{data} does not exist yet; the first start creates it")
        return problem(CHECK, f"{data} does not exist, and {above} is not writable", OTHER_FOLDER)
    if not data.is_dir():
        return problem(CHECK, f"{data} is not a folder", OTHER_FOLDER)
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        return problem(CHECK, f"{data} is not writable for this user", OTHER_FOLDER)
    pid = holder(data)
    if pid is not None:
        return ok(CHECK, f"{data} is in use by the PromptOps with pid {pid}")
    return ok(CHECK, f"{data} is writable, and no platform runs on it")


def _space(data: Path) -> Finding:
    free = shutil.disk_usage(_existing(data)).free
    text = f"{free / 1024**3:,.1f} GB are free on its disk"
    more = "make room, or set PROMPTOPS_DATA to a folder on another disk"
    if free < LEAST_SPACE:
        return problem(CHECK, text, more)
    return warning(CHECK, text, more) if free < LITTLE_SPACE else ok(CHECK, text)


def _existing(path: Path) -> Path:
    """Return the path, or the closest parent folder that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())
