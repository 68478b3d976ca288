"""What an import brings, wherever it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptops_platform.as_code.resources import Content, Identity
from promptops_platform.field_types import KEY_REFUSED

BODY = ("content", "messages", "config")


class SourceError(ValueError):
    """The source can't be read; the text says what and why."""


@dataclass(frozen=True, slots=True)
class ImportedVersion:
    """`content` counts by its body only: a version has no name and no tags."""

    label: str
    content: Content


@dataclass(frozen=True, slots=True)
class ImportedPrompt:
    """`versions` are oldest first, `served` is the label of one of them; None before the first
    publish. `workspace` is a slug; None stands for the one of the command."""

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
    """Everything, and `remarks` on what could not be taken over. `workspaces` are names by slug."""

    prompts: list[ImportedPrompt] = field(default_factory=list)
    definitions: list[ImportedDefinition] = field(default_factory=list)
    workspaces: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def body_of(content: Content) -> dict[str, Any]:
    """What a version keeps of a prompt."""
    return {name: content.values[name] for name in BODY if name in content.values}


def key_of(name: str, remarks: list[str]) -> str:
    """A key that PromptOps takes; a remark where it is another than the name."""
    key = KEY_REFUSED.sub("-", name.strip().replace("/", "."))
    if key != name:
        remarks.append(f"{name!r} gets the key {key!r}: keys take no blanks, slashes and quotes")
    return key
