"""The data folder: one platform at a time, and an identity that outlives restarts."""

from promptops_platform.data_folder.errors import DataFolderInUse, DataFolderNotUsable
from promptops_platform.data_folder.instance import (
    Instance,
    instance_id,
    open_instance,
    read_instance,
    remember_database,
)
from promptops_platform.data_folder.lock import DataFolderLock, holder

__all__ = [
    "DataFolderInUse",
    "DataFolderLock",
    "DataFolderNotUsable",
    "Instance",
    "holder",
    "instance_id",
    "open_instance",
    "read_instance",
    "remember_database",
]
