"""The resources that a folder and a server have in common, by kind and name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from promptops_platform.agents.schemas import (
    DEFAULT_STEPS,
    DEFAULT_WINDOW_MESSAGES,
    DEFAULT_WINDOW_TOKENS,
)

Kind = Literal["prompt", "agent", "workflow", "schedule", "trigger"]
# Resources that refer to others come after them.
KINDS: tuple[Kind, ...] = ("prompt", "agent", "workflow", "schedule", "trigger")
# These have no versions and no `revision`: an edit takes effect immediately, and the last one wins.
WITHOUT_VERSIONS: frozenset[Kind] = frozenset(("schedule", "trigger"))

# The fields of the API's responses that are content, in the order of a file, with the default
# values that needn't be written.
DEFAULTS: Mapping[Kind, Mapping[str, Any]] = {
    "prompt": {
        **dict.fromkeys(("name", "category", "tags", "model", "content"), ""),
        "messages": [],
        "config": {},
    },
    "agent": {
        "name": "",
        "description": "",
        "tags": "",
        "provider": "mock",
        "model": "",
        "fallbacks": [],
        "parameters": {},
        "prompt": "",
        "prompt_ref": None,
        "tools": [],
        "output_schema": {},
        "max_steps": DEFAULT_STEPS,
        "window_messages": DEFAULT_WINDOW_MESSAGES,
        "window_tokens": DEFAULT_WINDOW_TOKENS,
        "pool": "",
    },
    "workflow": {
        "name": "",
        "description": "",
        "tags": "",
        "input_schema": {},
        "defaults": {},
        "timeout": "",
        "strict": False,
        "steps": [],
        "output": "",
        "pool": "",
    },
    "schedule": {
        **dict.fromkeys(("workflow", "agent", "version", "env"), None),
        **dict.fromkeys(("cron", "interval_seconds", "rrule"), None),
        "timezone": "UTC",
        "variables": {},
        "paused": False,
        "catch_up": "skip",
        "overlap": "skip",
    },
    "trigger": {"enabled": True, "on": {}, "run": None, "deliver": None},
}


class Identity(NamedTuple):
    """`env` is only set for prompts."""

    kind: Kind
    key: str
    env: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.key}" + (f" ({self.env})" if self.env else "")


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that a file contains of a resource, without default values."""

    kind: Kind
    values: dict[str, Any]

    @classmethod
    def of(cls, kind: Kind, values: Mapping[str, Any]) -> Content:
        """Return the content of a response of the API or of a file; other fields are left out."""
        content = {
            name: values[name]
            for name, default in DEFAULTS[kind].items()
            if values.get(name) is not None and values[name] != default
        }
        if "prompt_ref" in content:
            reference = content["prompt_ref"]
            content["prompt_ref"] = {name: reference[name] for name in reference if reference[name]}
        if "messages" in content:
            # The server builds the content of a chat from its messages.
            content.pop("content", None)
        return cls(kind, content)

    @property
    def hash(self) -> str:
        """Return a hash that is equal for equal contents."""
        text = json.dumps(self.values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def request(self) -> dict[str, Any]:
        """Return the body of a request that sets the whole content."""
        body = {**DEFAULTS[self.kind], **self.values}
        if self.kind == "prompt":
            is_chat = "messages" in self.values
            body["kind"] = "chat" if is_chat else "text"
            del body["content" if is_chat else "messages"]
        if self.kind == "agent":
            del body["prompt" if body["prompt_ref"] else "prompt_ref"]
        if self.kind in WITHOUT_VERSIONS:
            body = {name: value for name, value in body.items() if value is not None}
        return body
