"""Requests and responses of the prompt routes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from promptops_platform.definitions.schemas import Note
from promptops_platform.field_types import (
    Content,
    JsonObject,
    Key,
    Label,
    Line,
    OptionalLabel,
    OptionalLine,
    Title,
)
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example, example_like
from promptops_platform.http.rules_between_fields import (
    ITEMS,
    NO_ITEMS,
    either,
    exactly,
    only,
    present,
    ruled,
)
from promptops_platform.prompts.body import TEXT, Body, HasBody, ServedVersion, variables_of
from promptops_platform.prompts.message_schemas import Messages, stored_messages

LONGEST_CONFIG = 65_536

Kind = Literal["text", "chat"]
TEXT_WITHOUT_MESSAGES = only(kind=exactly("text"), messages=NO_ITEMS)
NO_KIND = only(kind={"type": "null"})
IfRevision = Annotated[
    int | None,
    Field(description="The `revision` that you have read; 409 if the prompt has changed since."),
]


def _not_too_long(config: dict[str, Any]) -> dict[str, Any]:
    length = len(json.dumps(config, ensure_ascii=False, separators=(",", ":")))
    if length > LONGEST_CONFIG:
        raise ValueError(
            f"has {length} characters as JSON, at most {LONGEST_CONFIG} are allowed; shorten it"
        )
    return config


Config = Annotated[JsonObject, AfterValidator(_not_too_long)]


class PromptFields(BaseModel):
    """The fields that may be set. An absent or null field leaves the value unchanged, and so does
    an empty `env` or `version`."""

    model_config = ruled(
        example(content="Good morning, {{who}}!"),
        either(
            TEXT_WITHOUT_MESSAGES,
            # The messages may also come from the stored prompt.
            only(kind=exactly("chat"), messages={"type": ["array", "null"], "minItems": 1}),
            NO_KIND,
        ),
    )

    name: Title | None = None
    content: Content | None = Field(
        default=None,
        description="The text. A chat prompt generates it from its messages; leave it out there.",
    )
    version: OptionalLabel = None
    env: OptionalLabel = None
    category: Title | None = None
    tags: Title | None = None
    model: Title | None = None
    kind: Kind | None = Field(
        default=None,
        description="`text` or `chat`; `chat` if messages are sent. `text` drops the messages.",
    )
    messages: Messages | None = None
    config: Config | None = Field(
        default=None,
        description="Any JSON object, such as the model's parameters and a `response_format`.",
    )

    def fields_with_values(self) -> dict[str, Any]:
        """Return the fields that were sent with a value."""
        values = {name: getattr(self, name) for name in PromptFields.model_fields}
        fields = {name: value for name, value in values.items() if value is not None}
        if self.messages is not None:
            fields["messages"] = stored_messages(self.messages)
        return fields


class PromptUpdate(PromptFields):
    """An edit. With `if_revision` it is refused if the prompt has a different revision."""

    if_revision: IfRevision = None


class PromptCreate(PromptFields):
    """A new prompt. `workspace` and `workspace_id` accept an id or a slug."""

    model_config = ruled(
        example(
            key="greeting",
            env="prod",
            name="Greeting",
            content="Hello {{who}}!",
            tags="mail,short",
            model="gpt-4o-mini",
        ),
        either(TEXT_WITHOUT_MESSAGES, present(kind=exactly("chat"), messages=ITEMS), NO_KIND),
    )

    key: Key
    workspace: OptionalLine = None
    workspace_id: OptionalLine = None


class Precondition(BaseModel):
    """The request is refused unless the prompt still has the revision that you have read."""

    model_config = example(if_revision=4)

    if_revision: IfRevision = None


class PublishRequest(BaseModel):
    """A publish. `note` gives the reason. Without `version`, the draft becomes a new version;
    with it, that existing version is served."""

    model_config = example(id="0f3c5d7e9a3f2a1c", note="Shorter, after the pilot.")

    id: Line
    version: Annotated[OptionalLine, Field(description="The label of an existing version.")] = None
    note: Note | None = None
    if_revision: IfRevision = None


class RollbackRequest(BaseModel):
    model_config = example(id="0f3c5d7e9a3f2a1c", version="v1")

    id: Line
    version: Line
    if_revision: IfRevision = None


class PromoteRequest(BaseModel):
    """A promotion. `version` defaults to the published version, or to the working copy before
    the first publish."""

    model_config = example(env="prod", publish=True)

    env: Label
    publish: bool = False
    version: Annotated[OptionalLine, Field(description="A version's label.")] = None
    note: Note | None = None
    if_revision: IfRevision = None


class WithBody(Resource):
    """Fields that prompts and versions share."""

    @classmethod
    def of(cls, row: Any, **more: Any) -> Self:
        return super().of(row, variables=variables_of(row), **more)


class Prompt(WithBody):
    """The working copy. `published_version` is what is served, or null before the first publish."""

    model_config = example(
        id="0f3c5d7e9a3f2a1c",
        workspace_id="default",
        key="greeting",
        name="Greeting",
        content="Hello {{who}}!",
        version="v2",
        env="prod",
        category="mail",
        tags="mail,short",
        model="gpt-4o-mini",
        created_at="2026-03-14T09:26:53.589793Z",
        updated_at="2026-03-14T09:26:53.589793Z",
        published_version="v1",
        draft_ahead=True,
        kind="text",
        messages=[],
        config={"temperature": 0.2},
        variables=["who"],
        revision=4,
        updated_by="ada",
    )

    id: str
    workspace_id: str
    key: str
    name: str
    content: str = Field(description="For a chat prompt, the joined text of its messages.")
    version: str
    env: str
    category: str
    tags: str = Field(description="Comma-separated.")
    model: str
    created_at: datetime
    updated_at: datetime
    published_version: str | None
    draft_ahead: bool = Field(
        description="Whether the next publish would change the served version."
    )
    kind: str
    messages: list[dict[str, Any]]
    config: dict[str, Any]
    variables: list[str] = Field(
        description="In order of first appearance, including names of placeholders."
    )
    revision: int = Field(
        description="Number of saved changes. Used as the etag and in `if-match`."
    )
    updated_by: str

    @classmethod
    def shown(cls, row: HasBody, published: ServedVersion | None, **more: Any) -> Self:
        """Return the working copy together with what is served."""
        is_ahead = published is not None and Body.of(row).content_hash() != published.content_hash
        label = published.label if published else None
        return cls.of(row, published_version=label, draft_ahead=is_ahead, **more)


class RolledBackPrompt(Prompt):
    """The prompt after a rollback. `rollout_ended` is true if the rollback has ended a running
    rollout."""

    model_config = example_like(Prompt, rollout_ended=False)

    rollout_ended: bool


class PromptVersion(WithBody):
    """A version. `content_hash` is the SHA-256 of its content."""

    model_config = example(
        id="7a1d2c3b4e5f6071",
        prompt_id="0f3c5d7e9a3f2a1c",
        key="greeting",
        version="v1",
        env="prod",
        content="Hello {{who}}!",
        created_at="2026-03-14T09:26:53.589793Z",
        model="gpt-4o-mini",
        author="ada",
        content_hash="2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        kind="text",
        messages=[],
        config={"temperature": 0.2},
        variables=["who"],
        note="Shorter, after the pilot.",
    )

    id: str
    prompt_id: str
    key: str
    version: str
    env: str
    content: str
    created_at: datetime
    model: str
    author: str
    content_hash: str
    kind: str
    messages: list[dict[str, Any]]
    config: dict[str, Any]
    variables: list[str]
    note: str


class ServedMove(Resource):
    """A change of the served version. A null `version` is the working copy."""

    model_config = example(
        id="17",
        action="rollout",
        env="prod",
        version="v2",
        previous_version="v2",
        variants=[
            {"name": "A", "version": "v1", "weight": 9000},
            {"name": "B", "version": "v2", "weight": 1000},
        ],
        note="",
        actor="ada",
        created_at="2026-03-14T09:26:53.589793Z",
    )

    id: str
    action: str = Field(description="create, publish, rollback, promote, move or rollout.")
    env: str
    version: str | None
    previous_version: str | None
    variants: list[dict[str, Any]] | None = Field(
        description="The variants of the rollout that was running, if any."
    )
    note: str
    actor: str
    created_at: datetime


class FieldChange(BaseModel):
    name: str
    before: Any
    after: Any


class MessageChange(BaseModel):
    """A message that differs. The side without it is null. Indexes start at 0."""

    before_index: int | None
    after_index: int | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class PromptDiff(BaseModel):
    """The differences between two states of a prompt."""

    model_config = ConfigDict(
        serialize_by_alias=True,
        validate_by_name=True,
        json_schema_extra={
            "examples": [
                {
                    "from": "v1",
                    "to": "draft",
                    "same": False,
                    "content": "--- v1\n+++ draft\n@@ -1,1 +1,1 @@\n-Hello!\n+Hello {{who}}!\n",
                    "fields": [{"name": "model", "before": "", "after": "gpt-4o-mini"}],
                    "messages": [],
                }
            ]
        },
    )

    from_: str = Field(alias="from", description="A version's label, or `draft`.")
    to: str = Field(description="A version's label, or `draft`.")
    same: bool
    content: str = Field(description="Unified diff; empty if the content is equal.")
    fields: list[FieldChange] = Field(description="Which of model, kind and config differ.")
    messages: list[MessageChange]


# Workspace, environment and key: a fetch asks for the prompt of a slot.
Slot = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class ServedPrompt:
    """What a fetch of a slot returns: the published version, the draft before the first publish,
    or a version that a rollout serves there."""

    workspace_id: str
    prompt_id: str
    key: str
    env: str
    version: str
    model: str
    content: str
    is_published: bool = True
    kind: str = TEXT
    messages: Sequence[Mapping[str, Any]] = ()
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PromptFilter:
    """Filters of a list; None doesn't filter. `readable` and `environments` are the workspaces and
    environments that the caller may see."""

    workspace_id: str | None = None
    text: str | None = None
    env: str | None = None
    category: str | None = None
    tag: str | None = None
    readable: frozenset[str] | None = None
    environments: frozenset[str] | None = None
