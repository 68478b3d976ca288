"""The changes of the feed."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class ChangeType(StrEnum):
    """Types of changes; the first two are what existing clients know."""

    PROMPT_UPDATED = "prompt.updated"
    PROMPT_PUBLISHED = "prompt.published"
    PROMPT_DRAFTED = "prompt.drafted"  # an edit that is not served before its publish
    PROMPT_DELETED = "prompt.deleted"
    WORKFLOW_SAVED = "workflow.saved"
    WORKFLOW_PUBLISHED = "workflow.published"
    WORKFLOW_DELETED = "workflow.deleted"
    AGENT_SAVED = "agent.saved"
    AGENT_PUBLISHED = "agent.published"
    AGENT_DELETED = "agent.deleted"
    TRIGGER_CHANGED = "trigger.changed"  # made, edited, stopped or deleted
    ROLLOUT_CHANGED = "rollout.changed"  # also where that alters no fetch
    CONNECTION_CHANGED = "connection.changed"  # stored, edited or deleted
    WORKSPACE_SAVED = "workspace.saved"
    WORKSPACE_DELETED = "workspace.deleted"
    ENVIRONMENT_CHANGED = "environment.changed"  # made, moved, protected or removed
    CHANGE_REQUEST_CHANGED = "change_request.changed"  # made, discussed, decided or applied
    SCHEDULE_CHANGED = "schedule.changed"  # made, edited, paused, run or deleted
    USER_CHANGED = "user.changed"  # made, edited or deleted
    SESSION_SAVED = "session.saved"
    SESSION_CLOSED = "session.closed"
    KEY_SAVED = "key.saved"
    KEY_REVOKED = "key.revoked"


Reason = Literal["rollback", "rollout"]


@dataclass(frozen=True, slots=True)
class Change:
    """One change to a resource; `key`, `env` and `version` are empty where they mean nothing.

    `type` is a ChangeType, or one of a newer release that shares the database. `reason`
    distinguishes changes of one type for listeners of the transaction; the feed does not store it.
    """

    type: str
    resource_id: str
    workspace_id: str | None = None
    key: str = ""
    env: str = ""
    version: str = ""
    reason: Reason | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class NumberedChange:
    """A committed change with its place in the feed."""

    revision: int
    change: Change
