"""Messages between the platform and the run engine, one JSON object per line.

Each run has its own connection:

    platform → engine        engine → platform
    Ping                     Ready | Unavailable
    CountCalls               CallsCounted
    RunRequest               Started | Unavailable | Refused
    Go                       Began, StepStarted, StepDelta, ..., StepCheckpoint, StepFinished, ...,
    CheckpointStored,        RunFinished | RunSuspended
    Cancel                   (the platform sends these two at any time after Go)

Another kind of connection stays open until the platform closes it:

    Watch                    Watching, RetryPressed, RetryPressed, ...
    RetryRefused             (at any time after Watching)

`deployment_messages` defines the messages about deployments, `suspension_messages` those about runs
that wait for people.

A run of a work pool is not executed by this engine; workers get it from Prefect:

    Enqueue                  Enqueued | Unavailable | Refused
    Withdraw                 Withdrawn | Unavailable

`kind` names the message. Non-ASCII text is escaped, so that any Python string can be sent, even
with lone surrogates.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from promptops_flows.protocol.deployment_messages import KINDS as DEPLOYMENT_KINDS
from promptops_flows.protocol.deployment_messages import DeploymentMessage
from promptops_flows.protocol.pool_messages import Enqueue, Enqueued, Withdraw, Withdrawn
from promptops_flows.protocol.run_request import Checkpoint, RunRequest
from promptops_flows.protocol.shapes import ShapeError, build, fields_of
from promptops_flows.protocol.suspension_messages import KINDS as SUSPENSION_KINDS
from promptops_flows.protocol.suspension_messages import RunSuspended, SuspensionMessage
from promptops_flows.steps.context import ItemCounts
from promptops_providers.protocol import PromptVersion, SpentCall, Usage

# Far above what a run may put into one message; a longer line is not from our own client.
MAX_LINE_BYTES = 256 * 1024 * 1024


class EngineProtocolError(ValueError):
    """A line that isn't a message of this protocol; the error never contains the line's values."""


@dataclass(frozen=True, slots=True)
class Ping:
    pass


@dataclass(frozen=True, slots=True)
class CountCalls:
    pass


@dataclass(frozen=True, slots=True)
class CallsCounted:
    """Counts since the engine's start, as lists `[provider, outcome, count]`: the outcomes of its
    model calls, and the errors that caused fallbacks."""

    calls: list[Any]
    fallbacks: list[Any]


@dataclass(frozen=True, slots=True)
class Go:
    pass


@dataclass(frozen=True, slots=True)
class CheckpointStored:
    """The checkpoint of the step `index` is stored. Optional for a run that isn't durable."""

    index: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel the run now; `by` names who requested it."""

    by: str


@dataclass(frozen=True, slots=True)
class Watch:
    pass


@dataclass(frozen=True, slots=True)
class Watching:
    pass


@dataclass(frozen=True, slots=True)
class RetryPressed:
    """Somebody pressed Retry in Prefect for the flow run of a run that has ended."""

    flow_run_id: str


@dataclass(frozen=True, slots=True)
class RetryRefused:
    """The run of that flow run isn't retried; `reason` is a sentence for Prefect's page."""

    flow_run_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ready:
    pass


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Nothing was executed; the same request may succeed later. `part` is the missing component."""

    reason: str
    part: Literal["engine", "prefect", "threads"] = "engine"


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was executed, and the same request will be refused again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Started:
    flow_run_id: str
    flow_run_url: str | None


@dataclass(frozen=True, slots=True)
class Began:
    """The run begins after waiting for other runs."""


@dataclass(frozen=True, slots=True)
class StepStarted:
    """`index` counts from 1; `started_at` is RFC 3339 in UTC; `input` contains a tool's arguments,
    as JSON. For a step of an inner run, `outer` is the index of the run's own step that executes
    it."""

    index: int
    name: str
    type: str
    started_at: str
    input: str | None = None
    outer: int | None = None


@dataclass(frozen=True, slots=True)
class StepDelta:
    """A piece of the model's text in the step `index`, in order. A new `attempt`, counted from 1,
    starts the text again."""

    index: int
    text: str
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class StepCheckpoint:
    """A completed step; sent just before its `StepFinished`, unless the step was skipped or
    reused."""

    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class StepFinished:
    """`state` is the name of the task run's state in Prefect; `attempts` counts from 1. `input` is
    the incoming text, or a tool's arguments as JSON; `stop_reason` says why the model ended its
    answer; `provider_kind` is the gateway's adapter if `provider` is a connection; `notes` describe
    differences between the model call and the definition; `spent` are calls of other models that
    failed before, `failures` the reason of each failed attempt; `items` are the counts of a map. A
    `reused` step was not executed: its output comes from a checkpoint, and it costs nothing.
    `version` is its definition's, `prompts` are the registry prompts that it used; for `outer` see
    `StepStarted`.

    `summary` is the error without quoted text, `public_name` the name without text from a model;
    None if there is no such text. `failure_summaries` are those of `failures`.
    """

    index: int
    name: str
    type: str
    state: str
    started_at: str
    duration_ms: int
    attempts: int
    output: str | None = None
    error: str | None = None
    provider: str | None = None
    model: str | None = None
    usage: Usage | None = None
    input: str | None = None
    stop_reason: str | None = None
    provider_kind: str | None = None
    notes: tuple[str, ...] = ()
    summary: str | None = None
    public_name: str | None = None
    spent: tuple[SpentCall, ...] = ()
    failures: tuple[str, ...] = ()
    items: ItemCounts | None = None
    reused: bool = False
    failure_summaries: tuple[str | None, ...] = ()
    version: str | None = None
    prompts: tuple[PromptVersion, ...] = ()
    outer: int | None = None

    @property
    def usages(self) -> list[Usage | None]:
        """The usages of all calls that the step made."""
        return [self.usage, *(call.usage for call in self.spent)]


RunEndState = Literal["completed", "failed", "timed_out", "cancelled", "crashed"]


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The last message of a run; `output` with status ok, `error` with status error, and `summary`
    as in `StepFinished`.

    `agent` contains additional results of an agent's run: see `engine.agent_flow`. With status ok,
    `state` is `completed`. A run whose steps were interrupted by something outside the run has
    crashed; `cancelled_by` names who cancelled it.
    """

    status: Literal["ok", "error"]
    output: str | None = None
    error: str | None = None
    agent: dict[str, Any] | None = None
    summary: str | None = None
    state: RunEndState = "failed"
    cancelled_by: str | None = None

    def __post_init__(self) -> None:
        if self.status == "ok":
            object.__setattr__(self, "state", "completed")


RunEvent = (
    Began | StepStarted | StepDelta | StepCheckpoint | StepFinished | RunFinished | RunSuspended
)
Message = (
    Ping
    | CountCalls
    | CallsCounted
    | RunRequest
    | Go
    | CheckpointStored
    | Cancel
    | Watch
    | Watching
    | RetryPressed
    | RetryRefused
    | Enqueue
    | Enqueued
    | Withdraw
    | Withdrawn
    | Ready
    | Unavailable
    | Refused
    | Started
    | RunEvent
    | DeploymentMessage
    | SuspensionMessage
)

_KINDS: dict[str, type[Message]] = {
    "ping": Ping,
    "count_calls": CountCalls,
    "calls_counted": CallsCounted,
    "run": RunRequest,
    "go": Go,
    "checkpoint_stored": CheckpointStored,
    "cancel": Cancel,
    "watch": Watch,
    "watching": Watching,
    "retry_pressed": RetryPressed,
    "retry_refused": RetryRefused,
    "enqueue": Enqueue,
    "enqueued": Enqueued,
    "withdraw": Withdraw,
    "withdrawn": Withdrawn,
    "ready": Ready,
    "unavailable": Unavailable,
    "refused": Refused,
    "started": Started,
    "began": Began,
    "step_started": StepStarted,
    "step_delta": StepDelta,
    "step_checkpoint": StepCheckpoint,
    "step_finished": StepFinished,
    "run_finished": RunFinished,
    **DEPLOYMENT_KINDS,
    **SUSPENSION_KINDS,
}
_KIND_OF = {message: kind for kind, message in _KINDS.items()}


def encode(message: Message) -> bytes:
    """The message as one line, newline included; raises `EngineProtocolError` for deep nesting."""
    whole = {"kind": _KIND_OF[type(message)], **fields_of(message)}
    try:
        line = json.dumps(whole, separators=(",", ":"), default=fields_of)
    except RecursionError as error:
        raise EngineProtocolError("nested too deeply") from error
    return line.encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    """The message in one line; raises `EngineProtocolError` for anything else."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise EngineProtocolError("not a line of JSON") from error
    if not isinstance(fields, dict):
        raise EngineProtocolError("not a JSON object")
    kind = fields.pop("kind", None)
    message = _KINDS.get(kind) if isinstance(kind, str) else None
    if message is None:
        raise EngineProtocolError("not a known kind of message")
    try:
        return build(message, fields)
    except ShapeError as error:
        raise EngineProtocolError(str(error)) from error
