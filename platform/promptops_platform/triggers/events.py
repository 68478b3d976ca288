"""The events that fire triggers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

PromptEvent = Literal["prompt.published", "prompt.updated", "prompt.rolled_back", "rollout.changed"]
RunEvent = Literal["run.completed", "run.failed"]
ApprovalEvent = Literal["approval.waiting", "approval.reminder"]
ClientEvent = Literal["client.behind"]
ConnectionEvent = Literal["connection.failing"]

PROMPT_EVENTS: tuple[PromptEvent, ...] = get_args(PromptEvent)
RUN_EVENTS: tuple[RunEvent, ...] = get_args(RunEvent)
APPROVAL_EVENTS: tuple[ApprovalEvent, ...] = get_args(ApprovalEvent)
CLIENT_BEHIND: ClientEvent = "client.behind"
CONNECTION_FAILING: ConnectionEvent = "connection.failing"
EVENTS = (*PROMPT_EVENTS, *RUN_EVENTS, *APPROVAL_EVENTS, CLIENT_BEHIND, CONNECTION_FAILING)
# The event type of triggers that are fired by their own webhook address.
WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened in a workspace. `id` is the same if the event is sent again;
    `fields` contains further JSON values for templates. `causes` are the triggers that led to
    it."""

    type: str
    id: str
    workspace_id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    causes: tuple[str, ...] = ()
