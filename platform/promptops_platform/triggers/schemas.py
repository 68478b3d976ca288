"""Requests and responses of triggers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
)

from promptops_platform.db.search import tags_in
from promptops_platform.definitions.schemas import IfRevision
from promptops_platform.field_types import Json, JsonObject, Key, Label, Line, OptionalLine
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example
from promptops_platform.triggers.events import (
    APPROVAL_EVENTS,
    CLIENT_BEHIND,
    CONNECTION_FAILING,
    PROMPT_EVENTS,
    RUN_EVENTS,
    ApprovalEvent,
    ClientEvent,
    ConnectionEvent,
    PromptEvent,
    RunEvent,
)
from promptops_platform.triggers.states import FiringState

LONGEST_PATTERN = 200
LONGEST_URL = 2000
# A replaced secret stays valid for this time.
DEFAULT_OVERLAP_SECONDS, LONGEST_OVERLAP_SECONDS = 86_400, 30 * 86_400
DEFAULT_BEHIND_SECONDS, DEFAULT_FAILURES = 30, 3

Pattern = Annotated[
    Line,
    StringConstraints(min_length=1, max_length=LONGEST_PATTERN),
    Field(description="`*` stands for any characters."),
]


def _one_tag(pattern: str) -> str:
    if "," in pattern:
        raise ValueError(
            f"{pattern!r} contains several tags; send one tag, and create a trigger for each of "
            "the others"
        )
    if not tags_in(pattern):
        raise ValueError("is blank; send a tag, or leave the filter out")
    return pattern


TagPattern = Annotated[
    Pattern,
    AfterValidator(_one_tag),
    Field(description="A tag of the workflow or agent; `*` stands for any characters."),
]
FORBID: Literal["forbid"] = "forbid"


class OnPrompt(BaseModel):
    """A prompt was published, rolled back, or edited so that fetches return something else, or
    its rollout was changed."""

    model_config = ConfigDict(
        extra=FORBID,
        json_schema_extra={
            "examples": [{"event": "prompt.published", "key": "greeting*", "env": "prod"}]
        },
    )

    event: PromptEvent
    key: Pattern | None = None
    env: Pattern | None = None


class OnRun(BaseModel):
    """A run of a workflow or an agent has ended. `run.failed` includes runs that took too long
    or crashed. Cancelled runs fire nothing."""

    model_config = ConfigDict(
        extra=FORBID,
        json_schema_extra={"examples": [{"event": "run.failed", "workflow": "nightly-*"}]},
    )

    event: RunEvent
    workflow: Pattern | None = None
    agent: Pattern | None = None
    tag: TagPattern | None = None


class OnApproval(BaseModel):
    """A run starts to wait for an approval, or a reminder is due."""

    model_config = ConfigDict(
        extra=FORBID,
        json_schema_extra={"examples": [{"event": "approval.reminder", "workflow": "refund"}]},
    )

    event: ApprovalEvent
    workflow: Pattern | None = None
    step: Pattern | None = None


class OnClientBehind(BaseModel):
    """A program that watches has not applied a change for `seconds`."""

    model_config = ConfigDict(
        extra=FORBID,
        json_schema_extra={"examples": [{"event": "client.behind", "app": "mailer"}]},
    )

    event: ClientEvent
    app: Pattern | None = None
    env: Pattern | None = None
    seconds: Annotated[int, Field(ge=5, le=86_400)] = DEFAULT_BEHIND_SECONDS


class OnConnectionFailing(BaseModel):
    """This many calls over a stored connection have failed in a row."""

    model_config = ConfigDict(
        extra=FORBID,
        json_schema_extra={"examples": [{"event": "connection.failing", "connection": "openai"}]},
    )

    event: ConnectionEvent
    connection: Pattern | None = None
    failures: Annotated[int, Field(ge=1, le=100)] = DEFAULT_FAILURES


class OnWebhook(BaseModel):
    """Somebody sends a signed message to the trigger's address."""

    model_config = ConfigDict(extra=FORBID, json_schema_extra={"examples": [{"webhook": True}]})

    webhook: Literal[True]


KINDS: dict[str, str] = {
    **dict.fromkeys(PROMPT_EVENTS, "prompt"),
    **dict.fromkeys(RUN_EVENTS, "run"),
    **dict.fromkeys(APPROVAL_EVENTS, "approval"),
    CLIENT_BEHIND: "client",
    CONNECTION_FAILING: "connection",
}


def _kind(value: Any) -> str:
    """Return the discriminator, so that errors name the form that was meant."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if not isinstance(value, dict):
        return "webhook"
    if "event" not in value:
        return "webhook"
    event = value["event"]
    return KINDS.get(event, "prompt") if isinstance(event, str) else "prompt"


Condition = Annotated[
    Annotated[OnPrompt, Tag("prompt")]
    | Annotated[OnRun, Tag("run")]
    | Annotated[OnApproval, Tag("approval")]
    | Annotated[OnClientBehind, Tag("client")]
    | Annotated[OnConnectionFailing, Tag("connection")]
    | Annotated[OnWebhook, Tag("webhook")],
    Discriminator(_kind),
]


class RunAction(BaseModel):
    """The workflow or agent to run: a version, what an environment serves, or the working copy.
    Variables may contain `{{event.key}}`, JMESPath over the event."""

    model_config = ConfigDict(
        extra=FORBID,
        json_schema_extra={
            "examples": [{"workflow": "announce", "variables": {"who": "{{event.key}}"}}],
            "oneOf": [
                {"required": [name], "properties": {name: {"type": "string", "minLength": 1}}}
                for name in ("workflow", "agent")
            ],
        },
    )

    workflow: Key | None = None
    agent: Key | None = None
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    env: Label | None = None
    variables: JsonObject = Field(default_factory=dict)


class DeliverAction(BaseModel):
    """Where to send a webhook, signed according to Standard Webhooks."""

    model_config = ConfigDict(
        extra=FORBID, json_schema_extra={"examples": [{"url": "https://example.org/hooks"}]}
    )

    url: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_URL)]


class TriggerUpdate(BaseModel):
    """An edit. Fields that are absent or null keep their value. With `if_revision` the edit is
    refused if somebody else has changed the trigger since."""

    model_config = example(enabled=False, if_revision=3)

    if_revision: IfRevision = None
    key: Key | None = None
    enabled: bool | None = Field(
        default=None, description="True also restarts a trigger that was stopped because of a loop."
    )
    on: Condition | None = None
    run: RunAction | None = None
    deliver: DeliverAction | None = None


class TriggerCreate(BaseModel):
    """A new trigger, which runs something or delivers a webhook. `workspace` and `workspace_id`
    accept an id or a slug."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "announce-greetings",
                    "on": {"event": "prompt.published", "key": "greeting*", "env": "prod"},
                    "run": {"workflow": "announce", "variables": {"who": "{{event.key}}"}},
                }
            ],
            "oneOf": [
                {"required": [name], "properties": {name: {"type": "object"}}}
                for name in ("run", "deliver")
            ],
        }
    )

    key: Key
    enabled: bool = True
    on: Condition
    run: RunAction | None = None
    deliver: DeliverAction | None = None
    workspace: OptionalLine = None
    workspace_id: OptionalLine = None


EXAMPLE: dict[str, Any] = {
    "id": "1d2e3f4a5b6c7d8e",
    "workspace_id": "default",
    "key": "announce-greetings",
    "enabled": True,
    "state": "active",
    "state_reason": "",
    "on": {"event": "prompt.published", "key": "greeting*", "env": "prod"},
    "run": {"workflow": "announce", "variables": {"who": "{{event.key}}"}},
    "deliver": None,
    "url": None,
    "secret": None,
    "previous_secret_until": None,
    "deployment_url": None,
    "last_fired_at": "2026-03-14T09:26:53.589793Z",
    "revision": 3,
    "created_by": "ada",
    "updated_by": "ada",
    "created_at": "2026-03-14T09:26:53.589793Z",
    "updated_at": "2026-03-14T09:26:53.589793Z",
}


class Trigger(Resource):
    """A trigger. `state` is `active`, `disabled`, or `stopped` because of the loop in
    `state_reason`. `url` is the address of an inbound webhook. `secret` is shown once, in the
    response that created it."""

    model_config = example(**EXAMPLE)

    id: str
    workspace_id: str
    key: str
    enabled: bool
    state: Literal["active", "disabled", "stopped"]
    state_reason: str
    on: dict[str, Any]
    run: dict[str, Any] | None
    deliver: dict[str, Any] | None
    url: str | None = None
    secret: str | None = None
    previous_secret_until: datetime | None = Field(
        default=None, description="Until when the previous secret is valid."
    )
    deployment_url: str | None = Field(
        default=None, description="Where Prefect shows what the trigger runs."
    )
    last_fired_at: datetime | None
    revision: int = Field(description="Counts the edits; also the etag.")
    created_by: str
    updated_by: str
    created_at: datetime
    updated_at: datetime


class SecretRotation(BaseModel):
    """How long the old secret stays valid."""

    model_config = example(overlap_seconds=DEFAULT_OVERLAP_SECONDS)

    overlap_seconds: Annotated[int, Field(ge=0, le=LONGEST_OVERLAP_SECONDS)] = (
        DEFAULT_OVERLAP_SECONDS
    )


class DeliveryAttempt(BaseModel):
    """One attempt at a delivery that failed, and why."""

    number: int
    error: str


class Delivery(Resource):
    """An event that fired a trigger, and the result. `attempts` are the failed ones; `answer` is
    the response of the receiver, cut after 2,000 characters."""

    model_config = example(
        id="7f8e9d0c1b2a3948",
        trigger_id="1d2e3f4a5b6c7d8e",
        message_id="msg_7f8e9d0c1b2a3948",
        event={"type": "prompt.published", "key": "greeting", "env": "prod", "version": "v3"},
        state="delivered",
        error="",
        run_id="run_5f2b8c1e9d3a4f60",
        attempts=[{"number": 1, "error": "example.org answered HTTP 503"}],
        answer_status=200,
        answer="ok",
        resend_of=None,
        created_at="2026-03-14T09:26:53.589793Z",
        ended_at="2026-03-14T09:26:55.125Z",
    )

    id: str
    trigger_id: str
    message_id: str
    event: Json
    state: FiringState
    error: str
    run_id: str | None
    attempts: list[DeliveryAttempt]
    answer_status: int | None
    answer: str | None
    resend_of: str | None
    created_at: datetime
    ended_at: datetime | None


class Received(BaseModel):
    """The receipt of an inbound webhook. A repeated message gets the same one."""

    model_config = example(id="7f8e9d0c1b2a3948")

    id: str
