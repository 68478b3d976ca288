"""Audit entries on the wire."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from promptops_platform.http.envelope import Resource


class AuditEntry(Resource):
    id: str
    action: str
    resource: str
    resource_id: str
    key: str
    summary: str
    created_at: datetime
    actor: str
    workspace_id: str | None


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Filters of the trail; None filters nothing.

    `workspaces` are ids, None among them for entries that belong to no workspace; `since` is
    inclusive, `until` is not.
    """

    actor: str | None = None
    action: str | None = None
    resource: str | None = None
    resource_id: str | None = None
    key: str | None = None
    workspaces: Sequence[str | None] | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_unfiltered(self) -> bool:
        """Whether it is kept to nothing but workspaces."""
        return replace(self, workspaces=None) == AuditFilter()
