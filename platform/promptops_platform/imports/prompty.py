"""Reads Prompty files of version 2, and of version 1 where it is the same.

The form is described at https://prompty.ai: front matter, and a text with lines such as `system:`.
"""

from __future__ import annotations

import re
from typing import Any

from promptops_flows.templates.language import variables_in
from promptops_platform.as_code.front_matter import split
from promptops_platform.as_code.resources import Content
from promptops_platform.as_code.yaml_text import FileError

ROLES = ("system", "developer", "user", "assistant")
ROLE = re.compile(
    rf"^[ \t]*#?[ \t]*({'|'.join(ROLES)})[ \t]*:[ \t]*$", re.MULTILINE | re.IGNORECASE
)
TAG = re.compile(r"\{\{(.*?)\}\}|\{[%#].*?[%#]\}", re.DOTALL)
THREAD = re.compile(r"\A\s*\{\{[-\s]*(?:thread|history|chat_history)[-\s]*\}\}\s*\Z")
OPTIONS = {
    "maxOutputTokens": "max_tokens",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "top_p": "top_p",
    "topK": "top_k",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
    "stopSequences": "stop",
    "seed": "seed",
}


def parse(text: str) -> tuple[str, Content]:
    """Return the name in the file, empty without one, and the prompt. Raises FileError."""
    parts = split(text)
    front = parts.front.values
    model = front.get("model", {})
    model = {"id": model} if isinstance(model, str) else model
    if not isinstance(model, dict):
        raise FileError("model must be a name, or names and values", parts.front.line_of("model"))
    if front.get("tools"):
        raise FileError("tools have no counterpart in prompts: tools belong to agents")
    _check_text(parts.body, parts.body_line)
    messages = _messages(parts.body)
    body = {"content": parts.body.strip()} if messages is None else {"messages": messages}
    values = {
        "name": front.get("displayName") or "",
        "tags": _tags(front),
        "model": str(model.get("id") or _older_model(model)),
        "config": _config(model),
        **body,
    }
    return str(front.get("name") or ""), Content.of("prompt", values)


def _check_text(body: str, first_line: int) -> None:
    for tag in TAG.finditer(body):
        inner = tag[1]
        if inner is None or not variables_in("{{" + inner + "}}"):
            line = first_line + body.count("\n", 0, tag.start())
            raise FileError(f"{tag[0]} has no counterpart; PromptOps has variables only", line)


def _messages(body: str) -> list[dict[str, Any]] | None:
    """Return None for a text without roles."""
    roles = list(ROLE.finditer(body))
    if not roles:
        return None
    messages: list[dict[str, Any]] = []
    if body[: roles[0].start()].strip():
        messages.append({"role": "system", "content": body[: roles[0].start()].strip()})
    ends = [*(role.start() for role in roles[1:]), len(body)]
    for role, end in zip(roles, ends, strict=True):
        content = body[role.end() : end].strip()
        if THREAD.match(content):
            messages.append({"type": "placeholder", "name": "history"})
        elif content:
            messages.append({"role": role[1].lower(), "content": content})
    return messages


def _config(model: dict[str, Any]) -> dict[str, Any]:
    options = model.get("options", model.get("parameters", {}))
    if not isinstance(options, dict):
        raise FileError("model.options must be names and values")
    return {str(OPTIONS.get(name) or name): value for name, value in options.items()}


def _older_model(model: dict[str, Any]) -> str:
    configuration = model.get("configuration")
    if not isinstance(configuration, dict):
        return ""
    return str(configuration.get("azure_deployment") or configuration.get("name") or "")


def _tags(front: dict[str, Any]) -> str:
    metadata = front.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else front.get("tags")
    return ",".join(str(tag) for tag in tags) if isinstance(tags, list) else ""
