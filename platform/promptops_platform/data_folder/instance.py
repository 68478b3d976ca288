"""The file `instance`: the identity of this platform and of its database.

The first line is the platform's id, the second the id of its database, once it has had one.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from promptops_platform.data_folder.errors import DataFolderNotUsable
from promptops_platform.ids import new_id
from promptops_platform.private_file import (
    FileNotUsable,
    create_private,
    read_private,
    replace_private,
)

INSTANCE_FILE = "instance"
ID = re.compile(r"[0-9a-f]{32}")
REMEDY = (
    "put it back from a backup, or remove it: the next start makes a new one, and does not close "
    "the runs that the last stop interrupted"
)


@dataclass(frozen=True, slots=True)
class Instance:
    """A platform's identity. `database` is the id of the database that it last used, None before
    its first one."""

    id: str
    database: str | None


def read_instance(data: Path) -> Instance | None:
    """Return the identity in the folder, None if there is none; raises DataFolderNotUsable."""
    path = data / INSTANCE_FILE
    try:
        text = read_private(path)
    except FileNotUsable as error:
        raise DataFolderNotUsable(f"{error}; {REMEDY}") from error
    if text is None:
        return None
    lines = text.splitlines()
    if not 1 <= len(lines) <= 2 or not all(ID.fullmatch(line) for line in lines):
        what = "contains no instance id" if text else "is empty"
        raise DataFolderNotUsable(f"{path} {what}; {REMEDY}")
    return Instance(lines[0], lines[1] if len(lines) > 1 else None)


def open_instance(data: Path) -> Instance:
    """Return the identity in the folder, created by the first call; raises DataFolderNotUsable."""
    instance = read_instance(data)
    if instance is None:
        try:
            create_private(data / INSTANCE_FILE, f"{new_id()}\n")
        except FileNotUsable as error:
            raise DataFolderNotUsable(str(error)) from error
        instance = read_instance(data)
    assert instance is not None
    return instance


def instance_id(data: Path) -> str:
    """Return the id of the platform on this folder, created by the first call."""
    return open_instance(data).id


def store_database_id(data: Path, database: str) -> None:
    """Store which database the platform uses; raises DataFolderNotUsable."""
    instance = open_instance(data)
    if instance.database != database:
        try:
            replace_private(data / INSTANCE_FILE, f"{instance.id}\n{database}\n")
        except FileNotUsable as error:
            raise DataFolderNotUsable(str(error)) from error
