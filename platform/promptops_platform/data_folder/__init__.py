"""The data folder: one platform at a time, and an identity that outlives restarts."""

from promptops_platform.data_folder.errors import DataFolderInUse, DataFolderNotUsable
from promptops_platform.data_folder.instance import (
    Instance,
    instance_id,
    open_instance,
    read_instance,
    store_database_id,
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
    "store_database_id",
]
