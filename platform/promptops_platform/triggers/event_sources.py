"""Creates events from changes, ended runs and waiting approvals."""

from datetime import datetime
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.approvals.reminding import WaitingApproval
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.ids import new_id
from promptops_platform.runlog.tables import RunRow
from promptops_platform.triggers.events import Event, PromptEvent, RunEvent

# Templates read this much of a run's output; the run log has the whole output.
LONGEST_OUTPUT = 32_768
FAILED_STATES = frozenset({"failed", "timed_out", "crashed"})
RUN_SOURCES = ("workflow", "agent")
_EVENT_OF_CHANGE: dict[tuple[ChangeType, str | None], PromptEvent] = {
    (ChangeType.PROMPT_PUBLISHED, None): "prompt.published",
    (ChangeType.PROMPT_UPDATED, None): "prompt.updated",
    (ChangeType.PROMPT_UPDATED, "rollback"): "prompt.rolled_back",
    (ChangeType.ROLLOUT_CHANGED, None): "rollout.changed",
}


def prompt_event_type(change: Change) -> PromptEvent | None:
    """Return the event type of a change; None for changes that fire nothing. A change of a rollout
    is reported as `rollout.changed` only."""
    try:
        return _EVENT_OF_CHANGE.get((ChangeType(change.type), change.reason))
    except ValueError:
        return None


def prompt_event(
    change: Change, event_type: str, actor: Actor | None, causes: tuple[str, ...]
) -> Event:
    """Return the event for a change of what is served."""
    fields = {
        "key": change.key,
        "env": change.env,
        "version": change.version,
        "prompt_id": change.resource_id,
        "actor": actor.name if actor else "",
    }
    assert change.workspace_id is not None
    return Event(event_type, new_id(), change.workspace_id, fields, causes)


def run_event_type(row: RunRow) -> RunEvent | None:
    """Return the event type of a run's end; None for cancelled runs and for runs without a
    definition."""
    if row.source not in RUN_SOURCES:
        return None
    if row.state == "completed":
        return "run.completed"
    return "run.failed" if row.state in FAILED_STATES else None


def run_event(row: RunRow, event_type: str) -> Event:
    """Return the event for the end of a run."""
    fields = {
        "run_id": row.id,
        row.source: row.ref_key,
        "version": row.version,
        "state": row.state,
        "output": row.output[:LONGEST_OUTPUT],
        "error": row.error[:LONGEST_OUTPUT],
        "latency_ms": row.latency_ms,
        "user": row.user_name,
    }
    return Event(event_type, row.id, row.workspace_id, fields, tuple(row.causes or ()))


def approval_event(waiting: WaitingApproval, url: str, causes: tuple[str, ...]) -> Event:
    """Return the event for a waiting approval; `url` is the page of its run, where people
    decide."""
    row = waiting.row
    fields = {
        "approval_id": row.id,
        "run_id": row.run_id,
        "workflow": row.workflow,
        "step": row.step,
        "message": row.message,
        "asked_by": row.asked_by,
        "reminder": waiting.number,
        "deadline_at": None if row.deadline_at is None else row.deadline_at.isoformat(),
        "url": url,
    }
    return Event(waiting.type, waiting.id, row.workspace_id, fields, causes)


def stored_event(event: Event, at: datetime) -> dict[str, Any]:
    """Return an event in the form in which it is stored, delivered, and read by templates."""
    return {
        "type": event.type,
        "id": event.id,
        "time": at.isoformat().replace("+00:00", "Z"),
        "workspace_id": event.workspace_id,
        **event.fields,
    }
