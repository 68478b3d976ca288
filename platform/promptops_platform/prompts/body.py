"""The body of a prompt: what of it is served, and what a version keeps."""

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

# In the form of OpenAI's Chat Completions, or a placeholder: see
# `promptops_flows.templates.chat_messages`.
Message = RawMessage


class HasBody(Protocol):
    """A row of a working copy or of a version, or what one serves."""

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
    """What is served of a prompt: the version's label, and the hash of its body."""

    label: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class Body:
    """A text, or the messages of a chat: then `content` is their texts, for clients that know no
    messages. `config` holds the parameters of the model and the schema of its answer."""

    content: str = ""
    model: str = ""
    kind: str = TEXT
    messages: Sequence[Message] = field(default_factory=list)
    config: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, row: HasBody) -> "Body":
        return cls(row.content, row.model, row.kind, row.messages, row.config)

    def columns(self) -> dict[str, Any]:
        """The columns by name."""
        return asdict(self)

    def edited(self, fields: Mapping[str, Any]) -> "Body":
        """The body after an edit that sent these fields.

        Messages make a chat, the kind `text` makes a text of what was there. Raises BadRequest
        where what was sent contradicts itself, and for another text than that of the messages:
        an editor that knows no messages would lose them without knowing.
        """
        model, config = fields.get("model", self.model), fields.get("config", self.config)
        kind = self._kind_after(fields)
        if kind == TEXT:
            return Body(fields.get("content", self.content), model, TEXT, [], config)
        messages = fields.get("messages", self.messages)
        content = joined(messages)
        if fields.get("content") not in (None, content, self.content):
            raise BadRequest(
                "content: that of a chat prompt is made of its messages, and this is another one; "
                "edit messages and leave content out, or send kind 'text' to make it a text prompt"
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
        """SHA-256, in hex, of what is served.

        What has its default is left out, so that versions from before chats and config keep their
        hashes.
        """
        served: dict[str, Any] = {"content": self.content, "model": self.model}
        if self.kind != TEXT:
            served |= {"kind": self.kind, "messages": self.messages}
        if self.config:
            # As text: the order of its fields counts, models answer a schema in that order.
            served["config"] = exact(self.config)
        text = json.dumps(served, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def joined(messages: Sequence[Message]) -> str:
    """The texts of the messages with a blank line between them; raises BadRequest where they, with
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
            f"lines; at most {LONGEST_CONTENT} are taken, shorten them"
        )
    return content


def variables_of(row: HasBody) -> list[str]:
    """The names that a rendering looks up, those of placeholder messages too: each once, in order
    of first appearance."""
    if row.kind == TEXT:
        return variables_in(row.content)
    # Not those of the joined text: braces of two messages make no variable.
    return names_in(row.messages)
