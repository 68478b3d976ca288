"""The events that triggers wait for."""

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
# What starts a trigger that waits for no event but has an address of its own.
WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened in a workspace. `id` is the same when it is sent again;
    `fields` is what templates read besides, as JSON. `causes` are the triggers that led to it."""

    type: str
    id: str
    workspace_id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    causes: tuple[str, ...] = ()
