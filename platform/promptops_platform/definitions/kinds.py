"""What agents and workflows have in common, and where they differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from promptops_platform.access.permissions import Permission
from promptops_platform.changes.schemas import ChangeType
from promptops_platform.definitions.columns import DefinitionColumns

# Stored beside the definition; not part of a version.
TEXTS = {"name": "", "description": "", "tags": ""}


RowT = TypeVar("RowT", bound=DefinitionColumns)


@dataclass(frozen=True, slots=True)
class Kind(Generic[RowT]):
    """A kind of definition; `defaults` are its fields with their default values."""

    noun: str
    table: type[RowT]
    defaults: Mapping[str, Any]
    read: Permission
    write: Permission
    run: Permission
    saved: ChangeType
    published: ChangeType
    deleted: ChangeType

    @property
    def path(self) -> str:
        """The path of its routes."""
        return f"/api/{self.noun}s"
