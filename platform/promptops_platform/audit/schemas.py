"""Responses of the audit trail, and the filters of its list."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import Field

from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example

EXAMPLE_ENTRY: dict[str, Any] = {
    "id": "42",
    "action": "publish",
    "resource": "prompt",
    "resource_id": "0f3c5d7e9a3f2a1c",
    "key": "greeting",
    "summary": "published v2",
    "created_at": "2026-03-14T09:26:53.589793Z",
    "actor": "ada",
    "workspace_id": "default",
    "address": "192.0.2.7",
    "request_id": "5f2b8c1e9d3a4f60b7c8d9e0f1a2b3c4",
    "before": {"published_version": "v1"},
    "after": {"published_version": "v2"},
    "actor_kind": "user",
}


class AuditEntry(Resource):
    """Who changed what. `before` and `after` contain the fields that differ, or null if the
    resource did not exist. `request_id` is that of the response."""

    model_config = example(**EXAMPLE_ENTRY)

    id: str
    action: str
    resource: str
    resource_id: str
    key: str
    summary: str
    created_at: datetime
    actor: str
    workspace_id: str | None
    address: str
    request_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    actor_kind: str = Field(
        description="What `actor` names: `user`, `key`, `static token`, `command line`, `system`, "
        "or `unknown` in entries of older releases."
    )


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Filters of the trail; None matches all.

    `workspaces` are ids, in which None stands for entries without a workspace; `since` is
    inclusive, `until` is exclusive.
    """

    actor: str | None = None
    action: str | None = None
    resource: str | None = None
    resource_id: str | None = None
    key: str | None = None
    request_id: str | None = None
    workspaces: Sequence[str | None] | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_unfiltered(self) -> bool:
        """Whether it filters by workspaces only."""
        return replace(self, workspaces=None) == AuditFilter()
