"""Prompts on the wire."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, Field

from promptops_platform.http.envelope import Resource
from promptops_platform.text import Content, Key, Line, OptionalLabel, OptionalLine


class PromptUpdate(BaseModel):
    """What an edit may change. A field that is absent or null stays as it is; so does an empty
    `env` or `version`."""

    name: Line | None = None
    content: Content | None = None
    version: OptionalLabel = None
    env: OptionalLabel = None
    category: Line | None = None
    tags: Line | None = None
    model: Line | None = None


class PromptCreate(PromptUpdate):
    """A new prompt. `workspace` takes an id or a slug, and so does `workspace_id`."""

    key: Key
    workspace: OptionalLine = None
    workspace_id: OptionalLine = None


class PublishRequest(BaseModel):
    id: Line


class RollbackRequest(BaseModel):
    id: Line
    version: Line


class Prompt(Resource):
    """The working copy; `published_version` is what is served, null before the first publish."""

    id: str
    workspace_id: str
    key: str
    name: str
    content: str
    version: str
    env: str
    category: str
    tags: str = Field(description="Comma-separated.")
    model: str
    created_at: datetime
    updated_at: datetime
    published_version: str | None


class RolledBackPrompt(Prompt):
    """`rollout_ended`: whether a rollout was on, which the rollback has switched off."""

    rollout_ended: bool


class PromptVersion(Resource):
    """A published version; `content_hash` is the SHA-256 of its content and model."""

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


# Workspace, environment and key: the place that a fetch asks for.
Slot = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class ServedPrompt:
    """What a fetch of a slot answers: the published version, before the first publish the draft;
    or a version that a rollout serves there."""

    workspace_id: str
    prompt_id: str
    key: str
    env: str
    version: str
    model: str
    content: str
    is_published: bool = True


@dataclass(frozen=True, slots=True)
class PromptFilter:
    """Filters of a list; None filters nothing. `readable` and `environments` are what exists for
    the caller."""

    workspace_id: str | None = None
    text: str | None = None
    env: str | None = None
    category: str | None = None
    tag: str | None = None
    readable: frozenset[str] | None = None
    environments: frozenset[str] | None = None
