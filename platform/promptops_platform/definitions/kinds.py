"""What agents and workflows have in common, and what tells them apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from promptops_platform.access.permissions import Permission
from promptops_platform.changes.schemas import ChangeType
from promptops_platform.definitions.columns import DefinitionColumns

# Beside the definition; they are of no version.
TEXTS = {"name": "", "description": ""}


RowT = TypeVar("RowT", bound=DefinitionColumns)


@dataclass(frozen=True, slots=True)
class Kind(Generic[RowT]):
    """A kind of definitions; `defaults` are its fields with what a new one has."""

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
        """Where its routes stand."""
        return f"/api/{self.noun}s"
