"""What the platform and the run engine say to each other, one JSON object a line.

One connection carries one run:

    platform → engine        engine → platform
    Ping                     Ready | Unavailable
    CountCalls               CallsCounted
    RunRequest               Started | Unavailable | Refused
    Go                       StepStarted, StepDelta, ..., StepFinished, ..., RunFinished

`kind` names the message. Non-ASCII text is escaped, so that any Python string survives the way,
one with lone surrogates included.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, Literal, Self, Union, cast, get_args, get_origin, get_type_hints

from promptops_flows.text_policy import EVERYTHING, TextPolicy
from promptops_providers.gateway import Target
from promptops_providers.protocol import SpentCall, Usage

# Far above what a run may put into one message; a longer line is not from the other end of us.
MAX_LINE_BYTES = 256 * 1024 * 1024


class WireError(ValueError):
    """A line that is no message of this protocol; the text never holds the line's values."""


@dataclass(frozen=True, slots=True)
class Ping:
    pass


@dataclass(frozen=True, slots=True)
class Connection:
    """How steps that name this `provider` reach it. `kind` is the gateway's adapter; an empty
    `model` is that adapter's default. The key stays in memory, as that of `RunRequest`."""

    provider: str
    kind: str
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    model: str = ""
    first_token_seconds: int | None = None
    answer_seconds: int | None = None

    @classmethod
    def of(cls, target: Target) -> Self:
        """The connection that resolved to this target."""
        credentials = target.credentials
        return cls(
            target.provider,
            target.kind,
            credentials.api_key,
            credentials.base_url,
            target.model,
            target.first_token_seconds,
            target.answer_seconds,
        )


@dataclass(frozen=True, slots=True)
class CountCalls:
    pass


@dataclass(frozen=True, slots=True)
class CallsCounted:
    """Since the engine's start, as lists `[provider, outcome, count]`: how its calls of models
    went, and which errors made chains fall back."""

    calls: list[Any]
    fallbacks: list[Any]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run to prepare. `steps` and `variables` are as stored and as sent, decoded from JSON.

    `api_key` stays in memory: it is no part of the repr, of logs, or of what Prefect stores. It and
    `base_url` are the caller's own, for the provider that a step names first; `connections` are
    those that the workspace has stored.
    `source` says what asked for the run; `version` is the definition's. `traceparent` is the
    caller's span (W3C Trace Context), under which the run is traced.

    `texts` says what may be stored of the run, by whomever.

    With `agent` it is an agent's run, as `agents.read_agent` reads it, and there are no `steps`;
    with `stream` the text of its models is sent as it comes.
    """

    run_id: str
    workspace: str
    key: str
    name: str
    version: str
    steps: list[Any]
    variables: dict[str, Any]
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    tags: tuple[str, ...] = ()
    source: str = "workflow"
    connections: tuple[Connection, ...] = ()
    traceparent: str | None = None
    agent: dict[str, Any] | None = field(default=None, repr=False)
    stream: bool = False
    texts: TextPolicy = EVERYTHING

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody may read anywhere."""
        keys = (self.api_key, *(each.api_key for each in self.connections))
        return tuple(key for key in keys if key)


@dataclass(frozen=True, slots=True)
class Go:
    pass


@dataclass(frozen=True, slots=True)
class Ready:
    pass


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Nothing was executed; the same request may succeed later. `part` is what lacks."""

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
class StepStarted:
    """`index` counts from 1; `started_at` is RFC 3339 in UTC; `input` is a tool's
    arguments, as JSON."""

    index: int
    name: str
    type: str
    started_at: str
    input: str | None = None


@dataclass(frozen=True, slots=True)
class StepDelta:
    """A piece of the text that a model answers in the step `index`, in order."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class StepFinished:
    """`state` is the name of the task run's state in Prefect; `attempts` counts from 1. `input` is
    the text that came in, of a tool its arguments as JSON; `stop_reason` says why the model ended
    its answer; `provider_kind` is the gateway's adapter where `provider` is a connection; `notes`
    say how the model was asked otherwise than the definition says; `spent` are calls of other
    models that failed before.

    `summary` is the error without what it quotes, `public_name` the name without what a model has
    made up; None where there is nothing of that kind.
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

    @property
    def usages(self) -> list[Usage | None]:
        """Of all calls that the step made."""
        return [self.usage, *(call.usage for call in self.spent)]


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The last message of a run; `output` with status ok, `error` with status error,
    and `summary` as in `StepFinished`.

    `agent` is what an agent's run brings besides: see `engine.agent_flow`.
    """

    status: Literal["ok", "error"]
    output: str | None = None
    error: str | None = None
    agent: dict[str, Any] | None = None
    summary: str | None = None


RunEvent = StepStarted | StepDelta | StepFinished | RunFinished
Message = (
    Ping
    | CountCalls
    | CallsCounted
    | RunRequest
    | Go
    | Ready
    | Unavailable
    | Refused
    | Started
    | RunEvent
)

_KINDS: dict[str, type[Message]] = {
    "ping": Ping,
    "count_calls": CountCalls,
    "calls_counted": CallsCounted,
    "run": RunRequest,
    "go": Go,
    "ready": Ready,
    "unavailable": Unavailable,
    "refused": Refused,
    "started": Started,
    "step_started": StepStarted,
    "step_delta": StepDelta,
    "step_finished": StepFinished,
    "run_finished": RunFinished,
}
_KIND_OF = {message: kind for kind, message in _KINDS.items()}
# What stands inside of messages.
_PARTS: tuple[type[Any], ...] = (Usage, Connection, SpentCall, TextPolicy)
_HINTS = {shape: get_type_hints(shape) for shape in (*_KINDS.values(), *_PARTS)}


def encode(message: Message) -> bytes:
    """The message as one line, newline included; `WireError` when it is nested too deeply."""
    fields = {item.name: getattr(message, item.name) for item in dataclasses.fields(message)}
    whole = {"kind": _KIND_OF[type(message)], **fields}
    try:
        line = json.dumps(whole, separators=(",", ":"), default=dataclasses.asdict)
    except RecursionError as error:
        raise WireError("nested too deeply") from error
    return line.encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    """The message in one line; raises `WireError` for anything else, or for a wrong field."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise WireError("not a line of JSON") from error
    if not isinstance(fields, dict):
        raise WireError("not a JSON object")
    kind = fields.pop("kind", None)
    message = _KINDS.get(kind) if isinstance(kind, str) else None
    if message is None:
        raise WireError("not a known kind of message")
    return cast("Message", _build(message, fields))


def _build(shape: type[Any], fields: dict[str, Any]) -> object:
    hints = _HINTS[shape]
    unknown = fields.keys() - hints.keys()
    if unknown:
        raise WireError(f"{shape.__name__} has no field {min(unknown)!r}")
    values = {
        name: _value(f"{shape.__name__}.{name}", hints[name], fields[name]) for name in fields
    }
    try:
        return shape(**values)
    except TypeError as error:
        raise WireError(f"{shape.__name__} lacks a field") from error


def _value(where: str, hint: Any, value: Any) -> Any:
    for option in _options(hint):
        if option in _PARTS and isinstance(value, dict):
            return _build(option, value)
        if get_origin(option) is tuple and isinstance(value, list):
            return tuple(_value(where, get_args(option)[0], item) for item in value)
        if _fits(option, value):
            return value
    raise WireError(f"{where} has a wrong type")


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _fits(option: Any, value: Any) -> bool:
    origin = get_origin(option) or option
    if origin is Literal:
        return value in get_args(option)
    if origin is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return origin in (str, bool, dict, list, NoneType) and isinstance(value, origin)
