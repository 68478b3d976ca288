"""Renders messages of chat prompts: variables in texts and URLs, and placeholders for lists of
messages. ``sdk/conformance/README.md`` has the full specification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from promptops.errors import MissingVariableError, PlaceholderError, ProtocolError
from promptops.templates import Template, render_template

PLACEHOLDER = "placeholder"
# The members with texts, of a part or of the object in it that is named like its type.
_TEXTS = ("text", "url", "file_data")

Message = Mapping[str, Any]


def render_messages(
    messages: Sequence[Message], variables: Mapping[str, Any] | None, strict: bool = False
) -> list[dict[str, Any]]:
    """Render the messages; the result shares nothing with `messages`.

    Raises MissingVariableError if strict, PlaceholderError and TemplateValueError.
    """
    values = variables or {}
    if strict:
        _check_complete(messages, values)
    rendered: list[dict[str, Any]] = []
    for message in messages:
        if message.get("type") != PLACEHOLDER:
            rendered.append(_rendered(message, values))
        elif values.get(message["name"]) is not None:
            rendered += _filling(message["name"], values[message["name"]])
    return rendered


def joined_texts(messages: Sequence[Message]) -> str:
    """Join all texts of the messages, as the server does for a prompt's content."""
    return "\n\n".join(text for message in messages for text in _texts(message))


def check_messages(messages: Sequence[Any]) -> None:
    """Raises ProtocolError unless these can be the messages of a prompt."""
    for message in messages:
        if not _is_template(message):
            raise ProtocolError("the server sent a chat message without a usable role or content")


def own(value: Any) -> Any:
    """Copy JSON data deeply."""
    if isinstance(value, dict):
        return {name: own(member) for name, member in value.items()}
    return [own(item) for item in value] if isinstance(value, list) else value


def _is_template(message: Any) -> bool:
    if not isinstance(message, dict):
        return False
    if message.get("type") == PLACEHOLDER:
        return isinstance(message.get("name"), str)
    return isinstance(message.get("role"), str) and not _problem_of_content(message)


def _problem_of_content(message: Message) -> str:
    content = message.get("content")
    if isinstance(content, list):
        has_types = all(isinstance(p, Mapping) and isinstance(p.get("type"), str) for p in content)
        return "" if has_types else "has a content part that is not an object with a type"
    calls = message.get("tool_calls")
    if isinstance(content, str) or (content is None and isinstance(calls, list) and calls):
        return ""
    return "has no content; give it a text or a list of parts"


def _filling(name: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, (list, tuple)):
        raise PlaceholderError(name, f"it is {_kind(value)}; give it a list of messages")
    for index, item in enumerate(value):
        problem = _problem_of_item(item)
        if problem:
            raise PlaceholderError(name, f"message {index} {problem}", index)
    return [own(dict(item)) for item in value]


def _problem_of_item(item: Any) -> str:
    if not isinstance(item, Mapping):
        return f"is {_kind(item)}; give it a dict with role and content"
    role = item.get("role")
    if not isinstance(role, str) or not role:
        return "has no role; give it one such as 'user'"
    return _problem_of_content(item)


def _check_complete(messages: Sequence[Message], values: Mapping[str, Any]) -> None:
    names = [name for message in messages for name in _names(message)]
    missing = [name for name in dict.fromkeys(names) if values.get(name) is None]
    if missing:
        raise MissingVariableError(missing)


def _names(message: Message) -> Iterator[str]:
    if message.get("type") == PLACEHOLDER:
        yield message["name"]
        return
    content = message.get("content")
    for template in [content] if isinstance(content, str) else _templates(content or []):
        yield from Template(template).names


def _templates(parts: Sequence[Message]) -> Iterator[str]:
    for part in parts:
        holder = _holder(part)
        yield from (holder[name] for name in _TEXTS if isinstance(holder.get(name), str))


def _rendered(message: Message, values: Mapping[str, Any]) -> dict[str, Any]:
    rendered: dict[str, Any] = own(dict(message))
    content = rendered.get("content")
    if isinstance(content, str):
        rendered["content"] = render_template(content, values)
    for part in content if isinstance(content, list) else ():
        holder = _holder(part)
        for name in _TEXTS:
            if isinstance(holder.get(name), str):
                holder[name] = render_template(holder[name], values)
    return rendered


def _holder(part: Any) -> Any:
    """Return the object that has the texts of a part."""
    inner = part.get(part.get("type"))
    return inner if isinstance(inner, dict) else part


def _texts(message: Message) -> Iterator[str]:
    content = message.get("content")
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if part.get("type") == "text" and isinstance(part.get("text"), str):
            yield part["text"]


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
