"""Requests and responses about versions of agents and workflows."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from promptops_platform.access.actor import Actor
from promptops_platform.definitions.columns import DefinitionColumns
from promptops_platform.definitions.states import ServedState
from promptops_platform.field_types import (
    Label,
    OptionalLabel,
    Title,
    refuse_unprintable,
)
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example

LONGEST_NOTE = 2_000
# The most that SQLite and PostgreSQL can store.
HIGHEST_NUMBER = 2**31 - 1
DRAFT = "draft"

Note = Annotated[
    str, StringConstraints(max_length=LONGEST_NOTE), AfterValidator(refuse_unprintable)
]
Number = Annotated[int, Field(ge=1, le=HIGHEST_NUMBER)]
IfRevision = Annotated[
    Annotated[int, Field(ge=0, le=2**53)] | None,
    Field(
        description="The `revision` that you have read; 409 if the definition has changed since."
    ),
]
OptionalEnvironment = Annotated[
    OptionalLabel, Field(description="The first environment of the workspace by default.")
]
RunVersion = Annotated[
    Number | None, Field(description="The version to run; what `env` serves by default.")
]
RunWait = Annotated[
    bool | None,
    Field(
        description="With `false`, the response is sent at once, with 202 and the run's address; "
        "the run continues in the background, even if the platform restarts.",
    ),
]
RunEnvironment = Annotated[
    OptionalLabel,
    Field(
        description="Run what this environment serves; the first environment by default, which "
        "serves the working copy until the first publish there.",
    ),
]
TagList = Annotated[str, Field(description="Comma-separated.")]
SentTags = Annotated[Title | None, Field(description="Comma-separated.")]
EXAMPLE_CONTENT = {"steps": [{"name": "call", "type": "model", "provider": "mock"}]}


EXAMPLE_SERVED: dict[str, Any] = {
    "revision": 7,
    "updated_by": "ada",
    "published_version": 3,
    "served": {"dev": 3, "prod": 2},
    "draft_ahead": True,
}


class ServedFields(Resource):
    """What is served, beside the working copy. `version` counts the edits of its definition."""

    version: int
    revision: int = Field(
        description="Number of saved changes. Used as the etag and in `if-match`."
    )
    updated_by: str
    published_version: int | None = Field(
        description="The version that the first environment serves; null before the first publish "
        "there."
    )
    served: dict[str, int] = Field(description="The version that each environment serves.")
    draft_ahead: bool = Field(
        description="Whether the next publish would change what the first environment serves."
    )

    @classmethod
    def shown(cls, row: DefinitionColumns, state: ServedState, actor: Actor) -> Self:
        """Return the working copy, with the part of what is served that the caller may see."""
        first = state.first_for(actor)
        return cls.of(
            row,
            published_version=state.number_in(first.name) if first else None,
            served=state.numbers(actor),
            draft_ahead=state.is_ahead(row, actor),
        )


class PublishDefinition(BaseModel):
    """A publish. `note` gives the reason. Without `version`, the draft becomes a new version; with
    it, that existing version is served."""

    model_config = example(note="Shorter, after the pilot.")

    note: Note | None = None
    env: OptionalEnvironment = None
    version: Number | None = Field(default=None, description="An existing version.")
    if_revision: IfRevision = None


class RollbackDefinition(BaseModel):
    model_config = example(version=3)

    version: Number
    env: OptionalEnvironment = None
    if_revision: IfRevision = None


class NewVersion(BaseModel):
    """A new version. `note` gives the reason and is stored with it."""

    model_config = example(note="For the evaluation of Monday.")

    note: Note | None = None
    if_revision: IfRevision = None


class PromoteDefinition(BaseModel):
    """A promotion. `version` defaults to what `from` serves, or to the draft before the first
    publish there."""

    model_config = ConfigDict(
        validate_by_name=True, json_schema_extra={"examples": [{"env": "prod"}]}
    )

    env: Label
    publish: bool = Field(
        default=True,
        description="With `false`, nothing changes and the response shows what would change.",
    )
    version: Number | None = None
    from_: OptionalEnvironment = Field(default=None, alias="from")
    note: Note | None = None
    if_revision: IfRevision = None


class DefinitionVersion(Resource):
    """A version. `content_hash` is the SHA-256 of its definition."""

    model_config = example(
        id="7a1d2c3b4e5f6071",
        version=3,
        note="Shorter, after the pilot.",
        author="ada",
        content_hash="2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        created_at="2026-03-14T09:26:53.589793Z",
        definition=EXAMPLE_CONTENT,
        served_in=["dev"],
    )

    id: str
    version: int
    note: str
    author: str
    content_hash: str
    created_at: datetime
    definition: dict[str, Any]
    served_in: list[str] = Field(description="The environments that serve it.")


class DefinitionMove(Resource):
    """A change of the version that an environment serves. A null `previous_version` was the draft,
    or nothing."""

    model_config = example(
        id="17",
        action="publish",
        env="prod",
        version=3,
        previous_version=2,
        note="",
        actor="ada",
        created_at="2026-03-14T09:26:53.589793Z",
    )

    id: str
    action: str = Field(description="publish, rollback or promote.")
    env: str
    version: int
    previous_version: int | None
    note: str
    actor: str
    created_at: datetime


class ChangedField(BaseModel):
    """A field that differs. `text` is a unified diff if both sides are texts."""

    name: str
    before: Any
    after: Any
    text: str


class ChangedItem(BaseModel):
    """An element of a list that differs, such as a step or a tool. The side without it is null.
    Indexes start at 0."""

    within: str = Field(description="The list, such as `steps` or `tools`.")
    name: str
    before_index: int | None
    after_index: int | None
    before: Any
    after: Any
    fields: list[ChangedField]


DIFF_EXAMPLE: dict[str, Any] = {
    "from": "3",
    "to": "draft",
    "same": False,
    "fields": [{"name": "model", "before": "", "after": "gpt-4o-mini", "text": ""}],
    "items": [],
    "text": '--- 3\n+++ draft\n@@ -1,1 +1,1 @@\n-"model": ""\n+"model": "gpt-4o-mini"\n',
}


class DefinitionDiff(BaseModel):
    """The differences between two states of a definition."""

    model_config = ConfigDict(
        serialize_by_alias=True,
        validate_by_name=True,
        json_schema_extra={"examples": [DIFF_EXAMPLE]},
    )

    from_: str = Field(alias="from", description="A version's number, or `draft`.")
    to: str = Field(description="A version's number, or `draft`.")
    same: bool
    fields: list[ChangedField]
    items: list[ChangedItem]
    text: str = Field(description="Unified diff of the definition as indented JSON.")


class DefinitionPromotion(BaseModel):
    """What a promotion changes or would change. `version` is null for a draft without a version,
    and `diff` is null if the environment serves nothing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "env": "prod",
                    "version": 3,
                    "previous_version": 2,
                    "published": True,
                    "diff": DIFF_EXAMPLE,
                }
            ]
        }
    )

    env: str
    version: int | None
    previous_version: int | None
    published: bool
    diff: DefinitionDiff | None
