"""The body of a prompt: the part that is served and stored in a version."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Protocol

from promptops_flows.templates.chat_messages import RawMessage, joined_texts, names_in, templates_in
from promptops_flows.templates.language import variables_in
from promptops_platform.definitions.content import exact
from promptops_platform.errors import BadRequest
from promptops_platform.field_types import LONGEST_CONTENT

TEXT = "text"
CHAT = "chat"

# An OpenAI Chat Completions message or a placeholder; see
# `promptops_flows.templates.chat_messages`.
Message = RawMessage


class HasBody(Protocol):
    """A row of a working copy or of a version, or a served prompt."""

    @property
    def content(self) -> Any: ...
    @property
    def model(self) -> Any: ...
    @property
    def kind(self) -> Any: ...
    @property
    def messages(self) -> Any: ...
    @property
    def config(self) -> Any: ...


class ServedVersion(NamedTuple):
    """The version that a prompt serves: its label and the hash of its body."""

    label: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class Body:
    """A text, or the messages of a chat. For a chat, `content` is the joined text of the messages,
    for clients that don't support messages. `config` contains the model's parameters and the
    schema of its output."""

    content: str = ""
    model: str = ""
    kind: str = TEXT
    messages: Sequence[Message] = field(default_factory=list)
    config: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, row: HasBody) -> "Body":
        return cls(row.content, row.model, row.kind, row.messages, row.config)

    def columns(self) -> dict[str, Any]:
        """Return the values by column name."""
        return asdict(self)

    def edited(self, fields: Mapping[str, Any]) -> "Body":
        """Return the body after an edit that sent these fields.

        Sending messages makes it a chat; sending kind `text` turns a chat into text. Raises
        BadRequest if the fields contradict each other, or if `content` differs from the text of
        the messages: an editor that doesn't support messages would lose them silently.
        """
        model, config = fields.get("model", self.model), fields.get("config", self.config)
        kind = self._kind_after(fields)
        if kind == TEXT:
            return Body(fields.get("content", self.content), model, TEXT, [], config)
        messages = fields.get("messages", self.messages)
        content = join_texts(messages)
        if fields.get("content") not in (None, content, self.content):
            raise BadRequest(
                "content: the content of a chat prompt is generated from its messages and can't be "
                "set; edit messages and leave content out, or send kind 'text' to make it a text "
                "prompt"
            )
        return Body(content, model, CHAT, messages, config)

    def _kind_after(self, fields: Mapping[str, Any]) -> str:
        sent: Sequence[Message] | None = fields.get("messages")
        kind: str = fields.get("kind") or (CHAT if sent else self.kind)
        if kind == TEXT and sent:
            raise BadRequest(
                f"messages: a text prompt has none (got {len(sent)}); send kind 'chat', or leave "
                "messages out"
            )
        if kind == CHAT and not (self.messages if sent is None else sent):
            raise BadRequest(
                "messages: a chat prompt needs at least one (got []); send a list of objects with "
                "role and content, or kind 'text'"
            )
        return kind

    def content_hash(self) -> str:
        """Return the SHA-256, in hex, of what is served.

        Default values are left out, so that versions that predate chats and config keep their
        hashes.
        """
        served: dict[str, Any] = {"content": self.content, "model": self.model}
        if self.kind != TEXT:
            served |= {"kind": self.kind, "messages": self.messages}
        if self.config:
            # As text, because models fill in the fields of a schema in their order.
            served["config"] = exact(self.config)
        text = json.dumps(served, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def join_texts(messages: Sequence[Message]) -> str:
    """Join the texts of the messages with blank lines. Raises BadRequest if the messages, including
    URLs and arguments of tool calls, are longer than a prompt may be."""
    content = joined_texts(messages)
    urls = sum(len(template) for message in messages for template in templates_in(message))
    arguments = sum(
        len(call["function"]["arguments"])
        for message in messages
        for call in message.get("tool_calls", ())
    )
    size = max(len(content), urls) + arguments
    if size > LONGEST_CONTENT:
        raise BadRequest(
            f"messages: their texts, URLs and arguments have {size} characters, joined by blank "
            f"lines; at most {LONGEST_CONTENT} are allowed, shorten them"
        )
    return content


def variables_of(row: HasBody) -> list[str]:
    """Return the names that a rendering looks up, including those of placeholder messages: each
    once, in order of first appearance."""
    if row.kind == TEXT:
        return variables_in(row.content)
    # Don't search the joined text: braces in two messages don't make a variable.
    return names_in(row.messages)
