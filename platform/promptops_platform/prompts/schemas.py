"""Prompts on the wire."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, Field

from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example, example_like
from promptops_platform.text import Content, Key, Line, OptionalLabel, OptionalLine


class PromptUpdate(BaseModel):
    """What an edit may change. A field that is absent or null stays as it is; so does an empty
    `env` or `version`."""

    model_config = example(content="Good morning, {{who}}!")

    name: Line | None = None
    content: Content | None = None
    version: OptionalLabel = None
    env: OptionalLabel = None
    category: Line | None = None
    tags: Line | None = None
    model: Line | None = None


class PromptCreate(PromptUpdate):
    """A new prompt. `workspace` takes an id or a slug, and so does `workspace_id`."""

    model_config = example(
        key="greeting",
        env="prod",
        name="Greeting",
        content="Hello {{who}}!",
        tags="mail,short",
        model="gpt-4o-mini",
    )

    key: Key
    workspace: OptionalLine = None
    workspace_id: OptionalLine = None


class PublishRequest(BaseModel):
    model_config = example(id="0f3c5d7e9a3f2a1c")

    id: Line


class RollbackRequest(BaseModel):
    model_config = example(id="0f3c5d7e9a3f2a1c", version="v1")

    id: Line
    version: Line


class Prompt(Resource):
    """The working copy; `published_version` is what is served, null before the first publish."""

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
    )

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

    model_config = example_like(Prompt, rollout_ended=False)

    rollout_ended: bool


class PromptVersion(Resource):
    """A published version; `content_hash` is the SHA-256 of its content and model."""

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
