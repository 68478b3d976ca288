"""The contents of an import, from any source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptops_platform.as_code.resources import Content, Identity
from promptops_platform.field_types import KEY_REFUSED

BODY = ("content", "messages", "config")


class SourceError(ValueError):
    """The source can't be read; the message says why."""


@dataclass(frozen=True, slots=True)
class ImportedVersion:
    """Only the body of `content` is used: a version has no name and no tags."""

    label: str
    content: Content


@dataclass(frozen=True, slots=True)
class ImportedPrompt:
    """`versions` are oldest first, `served` is the label of one of them; None before the first
    publish. `workspace` is a slug; None means the command's workspace."""

    identity: Identity
    draft: Content
    versions: Sequence[ImportedVersion] = ()
    served: str | None = None
    workspace: str | None = None
    rollout: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ImportedDefinition:
    """An agent or a workflow."""

    identity: Identity
    content: Content
    workspace: str | None = None


@dataclass(slots=True)
class ImportedContents:
    """Everything, and `remarks` about what could not be imported. `workspaces` contains names by
    slug."""

    prompts: list[ImportedPrompt] = field(default_factory=list)
    definitions: list[ImportedDefinition] = field(default_factory=list)
    workspaces: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def body_of(content: Content) -> dict[str, Any]:
    """Return the part of a prompt that a version stores."""
    return {name: content.values[name] for name in BODY if name in content.values}


def key_of(name: str, remarks: list[str]) -> str:
    """Return a key that PromptOps accepts, with a remark if it differs from the name."""
    key = KEY_REFUSED.sub("-", name.strip().replace("/", "."))
    if key != name:
        remarks.append(f"{name!r} gets the key {key!r}: keys take no blanks, slashes and quotes")
    return key
