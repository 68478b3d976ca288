"""Prompts as dotprompt files: front matter, followed by the text or the messages of a chat.

Fields that dotprompt doesn't have are in the front matter, under `promptops.`: environment, tags,
category, title, and values that could not be read back unchanged from the text or from `config`.
"""

from __future__ import annotations

from typing import Any

from promptops_platform.as_code import front_matter, model_names, template_blocks
from promptops_platform.as_code.resources import Content, Identity
from promptops_platform.as_code.template_blocks import Body
from promptops_platform.as_code.yaml_text import Document, FileError

_OWN = "promptops."
_PROMPT_FIELDS = ("title", "env", "category", "tags", "content", "messages", "config")
# For readers and other tools; PromptOps finds variables in the text.
_WITHOUT_EFFECT = ("description", "metadata", "variant", "version")
_FIELDS = ("name", "model", "config", "output", "input", *_WITHOUT_EFFECT)
_NO_COUNTERPART = {
    "tools": "tools belong to agents",
    "toolDefs": "tools belong to agents",
}


def parse(text: str, *, key: str, env: str) -> Content:
    """Parse the prompt of a file. `key` and `env` come from its path, and may be repeated in the
    file.

    Raises FileError.
    """
    parts = front_matter.split(text)
    front = parts.front
    own = _own_fields(front)
    _check_names(front, own)
    for name, path in (("name", key), (f"{_OWN}env", env)):
        stated = front.values.get(name, own.get("env") if name != "name" else None)
        if stated not in (None, path):
            sentence = f"{name} is {stated!r}, but the path says {path!r}; rename the file"
            raise FileError(sentence, front.line_of(name))
    body = _body(own, parts)
    values = {
        "name": own.get("title", ""),
        "category": own.get("category", ""),
        "tags": _tags(own.get("tags", "")),
        "model": front.values.get("model", ""),
        "content": body.content,
        "messages": body.messages,
        "config": _config(front, own),
    }
    for name in ("name", "category", "model"):
        if not isinstance(values[name], str):
            raise FileError(f"{name} must be a text", front.line_of(name))
    return Content.of("prompt", values)


def write(identity: Identity, content: Content) -> str:
    """Return a file that `parse` reads back to the same content."""
    values = content.values
    front: dict[str, Any] = {"name": identity.key}
    if "model" in values:
        front["model"] = values["model"]
    own: dict[str, Any] = {"env": identity.env}
    for name, source in (("title", "name"), ("category", "category"), ("tags", "tags")):
        if source in values:
            own[name] = values[source]
    settings = model_names.write(values.get("config", {}))
    if settings is None:
        own["config"] = values["config"]
    else:
        front |= settings
    body = Body(values.get("content", ""), values.get("messages"))
    text = template_blocks.write(body)
    if text is None:
        own |= {"content": body.content} if body.messages is None else {"messages": body.messages}
    front |= {f"{_OWN}{name}": value for name, value in own.items()}
    return front_matter.join(front, text or "")


def _own_fields(front: Document) -> dict[str, Any]:
    """Return PromptOps' fields, which may be written as `promptops.env` or under `promptops:`."""
    values = front.values
    own = {name.removeprefix(_OWN): values[name] for name in values if name.startswith(_OWN)}
    grouped = values.get("promptops", {})
    if not isinstance(grouped, dict) or set(grouped) & set(own):
        raise FileError(
            "promptops must have names and values, none of them twice", front.line_of("promptops")
        )
    return {**own, **grouped}


def _check_names(front: Document, own: dict[str, Any]) -> None:
    for name in front.values:
        if name in _NO_COUNTERPART:
            raise FileError(
                f"{name} has no counterpart in prompts: {_NO_COUNTERPART[name]}",
                front.line_of(name),
            )
        if "." not in name and name not in (*_FIELDS, "promptops"):
            raise FileError(
                f"{name!r} is not a field of prompts; use {', '.join(_FIELDS)} or {_OWN}…",
                front.line_of(name),
            )
    for name in own:
        if name not in _PROMPT_FIELDS:
            raise FileError(
                f"{_OWN}{name} does not exist; use {', '.join(_PROMPT_FIELDS)}",
                front.line_of(f"{_OWN}{name}"),
            )
    inputs = front.values.get("input")
    if isinstance(inputs, dict) and "default" in inputs:
        raise FileError(
            "input.default has no counterpart; give defaults in the program",
            front.line_of("input"),
        )


def _tags(value: object) -> str:
    if isinstance(value, list) and all(isinstance(tag, str) for tag in value):
        return ",".join(value)
    if not isinstance(value, str):
        raise FileError(f"{_OWN}tags must be a list of texts, or a text with commas")
    return value


def _config(front: Document, own: dict[str, Any]) -> dict[str, Any]:
    if "config" in own:
        config = own["config"]
        if not isinstance(config, dict):
            raise FileError(f"{_OWN}config must be names and values")
        return config
    try:
        return model_names.parse(front.values.get("config", {}), front.values.get("output", {}))
    except FileError as error:
        name = "output" if error.sentence.startswith("output") else "config"
        raise FileError(error.sentence, front.line_of(name)) from None


def _body(own: dict[str, Any], parts: front_matter.FileParts) -> Body:
    if not own.keys().isdisjoint({"messages", "content"}) and parts.body.strip():
        sentence = "there is a text in the front matter and one below; remove one"
        raise FileError(sentence, parts.body_line)
    if "messages" in own:
        return Body(messages=own["messages"])
    if "content" in own:
        return Body(str(own["content"]))
    return template_blocks.parse(parts.body, first_line=parts.body_line)
