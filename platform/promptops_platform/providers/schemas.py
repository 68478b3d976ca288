"""Connections on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from promptops_platform.field_types import Label, OptionalLine, OptionalName
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example
from promptops_platform.http.rules_between_fields import TEXT, exactly, present, ruled, when
from promptops_platform.providers.tables import ConnectionRow
from promptops_providers.adaptation.compatibility import LimitParameter, StructuredOutput
from promptops_providers.provider_names import PROVIDER_NAMES

LONGEST_API_KEY = 4096

Kind = Literal["openai", "claude", "ollama", "gemini", "openai-compatible", "mock"]


def _sendable(value: str) -> str:
    """A key travels in an HTTP header."""
    stripped = value.strip()
    if not all("!" <= character <= "~" for character in stripped):
        raise ValueError(
            "is not an API key: it must be printable ASCII without blanks; copy it again"
        )
    return stripped


# Longer than any model thinks.
LONGEST_WAIT_SECONDS = 3600
FIRST_PIECE_LIMIT = (
    "How long a streamed answer may be without a first token while the model sends no sign of its "
    "work; null for the gateway's own limit."
)
ANSWER_LIMIT = "How long a whole answer may take; null for the gateway's own limit."
Seconds = Annotated[int, Field(ge=1, le=LONGEST_WAIT_SECONDS)]
# Shorter ones could be the same by chance, longer ones are taken nowhere.
CallIdLength = Annotated[int, Field(ge=8, le=64)]
ApiKeyText = Annotated[
    str, StringConstraints(max_length=LONGEST_API_KEY), AfterValidator(_sendable)
]


class CompatibilitySwitches(BaseModel):
    """What the server supports. Null means what is known of its host, or else the usual."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"structured_output": "json_object"}]}
    )

    stream_options: bool | None = Field(
        default=None, description="Whether a stream's usage is asked for with `stream_options`."
    )
    limit_parameter: LimitParameter | None = Field(
        default=None, description="The name of the limit of an answer."
    )
    developer_role: bool | None = Field(
        default=None, description="False if the role `developer` is sent as `system`."
    )
    structured_output: StructuredOutput | None = Field(
        default=None,
        description="How an output schema is sent: as a schema, in JSON mode with the schema in "
        "words, or in words alone.",
    )
    tool_call_id_length: CallIdLength | None = Field(
        default=None, description="How many letters and digits the id of a tool call has."
    )
    returns_reasoning: bool | None = Field(
        default=None, description="Whether the reasoning of earlier answers is sent back."
    )

    def stored(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


class ConnectionUpdate(BaseModel):
    """An edit. Absent fields keep their value."""

    model_config = example(model="gpt-5-mini", api_key="sk-...")

    name: Label | None = None
    kind: Kind | None = None
    base_url: OptionalLine = Field(
        default=None, description="The provider's root; null or empty for the vendor's own."
    )
    model: OptionalName = Field(
        default=None,
        description="Used if a request names none; null or empty for the default of the kind.",
    )
    first_token_seconds: Seconds | None = Field(default=None, description=FIRST_PIECE_LIMIT)
    answer_seconds: Seconds | None = Field(default=None, description=ANSWER_LIMIT)
    compatibility: CompatibilitySwitches | None = Field(
        default=None, description="Replaces the stored value; null removes it."
    )
    api_key: ApiKeyText | None = Field(
        default=None,
        description="Absent or empty, the stored one stays; null removes it. Must be sent again "
        "along with another base_url or kind.",
    )


class ConnectionCreate(BaseModel):
    """A new connection. `workspace` and `workspace_id` accept an id or a slug."""

    model_config = ruled(
        example(name="openai", kind="openai", model="gpt-5-mini", api_key="sk-..."),
        when(present(kind=exactly("openai-compatible")), present(base_url=TEXT)),
        *(
            when(present(name=exactly(name)), present(kind=exactly(name)))
            for name in PROVIDER_NAMES
        ),
    )

    name: Label = Field(
        description="The name that steps, agents and the playground use as `provider`."
    )
    kind: Kind
    base_url: OptionalLine = Field(
        default=None, description="The provider's root, before `/v1`; by default the vendor's own."
    )
    model: OptionalName = Field(default=None, description="Used if a request names none.")
    first_token_seconds: Seconds | None = Field(default=None, description=FIRST_PIECE_LIMIT)
    answer_seconds: Seconds | None = Field(default=None, description=ANSWER_LIMIT)
    compatibility: CompatibilitySwitches | None = None
    api_key: ApiKeyText | None = None
    workspace: OptionalLine = None
    workspace_id: OptionalLine = None


class Connection(Resource):
    """How a workspace reaches a model provider. The key is never shown. `key_hint` is its end,
    if the key is long enough, for admins of the workspace only; otherwise it is empty."""

    model_config = example(
        id="6c7d8e9f0a1b2c3d",
        workspace_id="default",
        name="openai",
        kind="openai",
        base_url="",
        model="gpt-5-mini",
        first_token_seconds=300,
        answer_seconds=1800,
        compatibility=dict.fromkeys(CompatibilitySwitches.model_fields),
        has_key=True,
        key_hint="x9Qf",
        created_by="ada",
        created_at="2026-03-14T09:26:53.589793Z",
        updated_at="2026-03-14T09:26:53.589793Z",
        last_tested_at="2026-03-14T09:30:02.104401Z",
        last_test_ok=True,
    )

    id: str
    workspace_id: str
    name: str
    kind: str
    base_url: str
    model: str
    first_token_seconds: int | None
    answer_seconds: int | None
    compatibility: CompatibilitySwitches
    has_key: bool
    key_hint: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    last_tested_at: datetime | None
    last_test_ok: bool | None

    @classmethod
    def shown(cls, row: ConnectionRow, *, hint: bool) -> Self:
        more: dict[str, Any] = {
            "has_key": row.sealed_key is not None,
            "compatibility": CompatibilitySwitches.model_validate(row.compatibility or {}),
        }
        return cls.of(row, **more, key_hint=row.key_hint if hint else "")


class ConnectionTest(BaseModel):
    """The result of a test. If the provider failed, `ok` is false, `error` gives the reason and
    `code` identifies it for programs."""

    model_config = example(ok=True, model="gpt-5-mini", latency_ms=412, error="", code="")

    ok: bool
    model: str
    latency_ms: int
    error: str = ""
    code: str = ""
