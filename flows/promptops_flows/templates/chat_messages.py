"""Messages of chat prompts in the format of OpenAI's Chat Completions, with one addition: a
placeholder, ``{"type": "placeholder", "name": "history"}``, is replaced by the list of messages in
the variable of that name.

https://developers.openai.com/api/reference/resources/chat

All SDKs fill and render them in the same way; ``sdk/conformance/messages.json`` has the cases.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from promptops_flows.templates.bounded import MAX_TEXT_CHARACTERS, BoundedVariables
from promptops_flows.templates.language import render_template, variables_in
from promptops_providers.protocol import (
    FilePart,
    ImagePart,
    Message,
    Part,
    Role,
    TextPart,
    ToolCall,
)

PLACEHOLDER = "placeholder"
TEXT_PART, IMAGE_PART, FILE_PART = "text", "image_url", "file"
BETWEEN_TEXTS = "\n\n"
MAX_CHAT_CHARACTERS = 4 * MAX_TEXT_CHARACTERS
MAX_FILLED_MESSAGES = 1_000
# A file's content may have either of these names.
_FILE_URLS = ("url", "file_data")

RawMessage = Mapping[str, Any]


class MessageError(ValueError):
    """An invalid message; the text is the predicate of a sentence."""


class PlaceholderError(ValueError):
    """A variable's value can't fill a placeholder; the message is one sentence with variable and
    index."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"variable {name!r} can't fill its placeholder: {reason}")
        self.name = name


@dataclass(frozen=True, slots=True)
class RenderedChat:
    """Messages without placeholders, as JSON and in the gateway's form. `left_out` are the
    placeholders without a variable."""

    raw: list[RawMessage]
    messages: list[Message]
    left_out: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All texts, joined by blank lines."""
        return joined_texts(self.raw)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the trace."""
        return tuple(
            f"the placeholder {name!r} was left out: no variable of that name was given"
            for name in self.left_out
        )


def render_chat(messages: Sequence[RawMessage], variables: Mapping[str, Any]) -> RenderedChat:
    """Fill the placeholders, and render the variables into texts and URLs.

    Messages from a variable aren't rendered again. A placeholder whose variable is missing or None
    is left out. Raises PlaceholderError, TemplateValueError, and TextTooLongError.
    """
    size = sum(len(template) for message in messages for template in templates_in(message))
    bounded = BoundedVariables(variables, MAX_CHAT_CHARACTERS, size)
    raw: list[RawMessage] = []
    for message in messages:
        name = placeholder_in(message)
        if name is None:
            raw.append(_rendered(message, bounded))
        elif variables.get(name) is not None:
            raw += _filling(name, bounded[name])
    return RenderedChat(
        raw, [as_message(message) for message in raw], left_out(messages, variables)
    )


def check_placeholders(messages: Sequence[RawMessage], variables: Mapping[str, Any]) -> None:
    """Raises PlaceholderError for the first placeholder that can't be filled."""
    for name in dict.fromkeys(filter(None, map(placeholder_in, messages))):
        if variables.get(name) is not None:
            _filling(name, variables[name])


def left_out(messages: Sequence[RawMessage], variables: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the placeholders without a variable, without duplicates."""
    names = dict.fromkeys(filter(None, map(placeholder_in, messages)))
    return tuple(name for name in names if variables.get(name) is None)


def placeholder_in(message: RawMessage) -> str | None:
    """The name of a placeholder; None for any other message."""
    return message["name"] if message.get("type") == PLACEHOLDER else None


def joined_texts(messages: Sequence[RawMessage]) -> str:
    """All texts of the messages, joined by blank lines."""
    return BETWEEN_TEXTS.join(text for message in messages for text in _texts(message))


def names_in(messages: Sequence[RawMessage]) -> list[str]:
    """The variables of the messages, without duplicates, in order of first appearance."""
    names: dict[str, None] = {}
    for message in messages:
        name = placeholder_in(message)
        if name is not None:
            names[name] = None
        for template in templates_in(message):
            names |= dict.fromkeys(variables_in(template))
    return list(names)


def templates_in(message: RawMessage) -> Iterator[str]:
    """Every text and URL that may contain variables."""
    content = message.get("content")
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        text_object = _text_object(part)
        yield from (text_object[name] for name in _template_names(text_object))


def as_message(raw: RawMessage) -> Message:
    """The message in the gateway's form, without unknown members. Raises MessageError."""
    role = raw.get("role")
    if role not in get_args(Role):
        roles = ", ".join(get_args(Role))
        raise MessageError(f"has the role {_shown(role)}; use one of {roles}")
    calls = tuple(map(_call, _list_at(raw, "tool_calls")))
    content = raw.get("content")
    parts: tuple[Part, ...] = ()
    if isinstance(content, list):
        parts = tuple(_part(part, number, str(role)) for number, part in enumerate(content))
    elif not (isinstance(content, str) or (content is None and calls)):
        raise MessageError("has no content; give it a text or a list of parts")
    answered = _text_at(raw, "tool_call_id")
    if role == "tool" and not answered:
        raise MessageError("has the role tool and no tool_call_id; name the call that it answers")
    return Message(
        cast("Role", role),
        BETWEEN_TEXTS.join(_texts(raw)),
        calls,
        answered,
        name=_text_at(raw, "name"),
        parts=parts if any(not isinstance(part, TextPart) for part in parts) else (),
    )


def _rendered(message: RawMessage, variables: Mapping[str, Any]) -> RawMessage:
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": render_template(content, variables)}
    if isinstance(content, list):
        return {**message, "content": [_rendered_part(part, variables) for part in content]}
    return message


def _rendered_part(part: RawMessage, variables: Mapping[str, Any]) -> RawMessage:
    text_object = _text_object(part)
    rendered = {
        name: render_template(text_object[name], variables) for name in _template_names(text_object)
    }
    if text_object is part:
        return {**part, **rendered}
    return {**part, str(part["type"]): {**text_object, **rendered}}


def _text_object(part: RawMessage) -> RawMessage:
    """The object that contains the texts of a part."""
    inner = part.get(str(part.get("type")))
    return inner if isinstance(inner, Mapping) else part


def _template_names(text_object: RawMessage) -> list[str]:
    return [name for name in ("text", *_FILE_URLS) if isinstance(text_object.get(name), str)]


def _texts(message: RawMessage) -> Iterator[str]:
    content = message.get("content")
    if isinstance(content, str):
        yield content
    for part in _list_at(message, "content"):
        if part.get("type") == TEXT_PART and isinstance(part.get("text"), str):
            yield part["text"]


def _filling(name: str, value: Any) -> list[RawMessage]:
    """The messages in a variable."""
    if not isinstance(value, list):
        raise PlaceholderError(name, f"it is {_shown(value)}; give it a list of messages")
    if len(value) > MAX_FILLED_MESSAGES:
        raise PlaceholderError(
            name,
            f"it has {len(value):,} messages, at most {MAX_FILLED_MESSAGES:,} are allowed; leave "
            "the oldest out",
        )
    for index, item in enumerate(value):
        try:
            if not isinstance(item, Mapping):
                raise MessageError(f"is {_shown(item)}; give it an object with role and content")
            as_message(item)
        except MessageError as error:
            raise PlaceholderError(name, f"message {index} {error}") from error
    return value


def _part(part: Any, number: int, role: str) -> Part:
    where = f"has a part {number} of its content that"
    if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
        raise MessageError(
            f"{where} is not an object with a type; use {TEXT_PART}, {IMAGE_PART}, ..."
        )
    kind, text_object = part["type"], _text_object(part)
    if kind == TEXT_PART and isinstance(part.get("text"), str):
        return TextPart(part["text"])
    urls = [text_object[name] for name in _template_names(text_object) if name != "text"]
    if kind not in (IMAGE_PART, FILE_PART) or text_object is part or not urls:
        raise MessageError(
            f"{where} can't be used, of type {_shown(kind)}; use text with text, image_url with "
            "image_url.url, or file with file.url or file.file_data"
        )
    if role != "user":
        raise MessageError(f"{where} is of type {kind}, which only the role user may send")
    if kind == IMAGE_PART:
        return ImagePart(urls[0], _text_at(text_object, "detail"))
    return FilePart(urls[0], _text_at(text_object, "filename"))


def _call(raw: Any) -> ToolCall:
    function = raw.get("function") if isinstance(raw, Mapping) else None
    if not isinstance(function, Mapping) or not _text_at(raw, "id"):
        raise MessageError("has a tool call without id and function; give it both")
    name, arguments = _text_at(function, "name"), function.get("arguments")
    if isinstance(arguments, str):
        arguments = _json_in(arguments)
    if not name or not isinstance(arguments, Mapping):
        raise MessageError(
            f"has a tool call {_shown(raw['id'])} whose function lacks a name, or arguments that "
            "are a JSON object as text"
        )
    return ToolCall(raw["id"], name, arguments)


def _json_in(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _text_at(raw: RawMessage, name: str) -> str:
    value = raw.get(name)
    return value if isinstance(value, str) else ""


def _list_at(raw: RawMessage, name: str) -> list[Any]:
    value = raw.get(name)
    return value if isinstance(value, list) else []


def _shown(value: object) -> str:
    """The value for a quotation in a message."""
    if isinstance(value, str):
        return f"'{value[:40]}…'" if len(value) > 40 else f"'{value}'"
    kinds = ((type(None), "null"), (bool, "a boolean"), (int, "a number"), (float, "a number"))
    for kind, word in kinds:
        if isinstance(value, kind):
            return word
    return "a list" if isinstance(value, list) else "an object"
