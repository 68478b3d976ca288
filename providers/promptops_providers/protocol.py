"""The one protocol behind which every model provider stands.

Messages and answers are plain frozen values, independent of any vendor's wire format; an adapter
translates both ways. Parts that later grow are added as fields with a default, so that what is
written against these types today keeps working.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Role = Literal["system", "developer", "user", "assistant", "tool"]
StopReason = Literal["end", "length", "stop_sequence", "tool_calls", "empty"]
ToolChoice = Literal["auto", "none", "required"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for. `arguments` is a JSON object, not yet checked against the
    tool's schema; `id` is unique within the answer, made up where the vendor gives none.

    A `problem` is a sentence for the model: its arguments could not be used, and are empty here.
    Such a call is not run, the sentence is its result.
    """

    id: str
    name: str
    arguments: Mapping[str, Any]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """`url` is an address that the vendor fetches, or a `data:` URL; `detail` is `low`, `high` or
    `auto` for vendors that know it."""

    url: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FilePart:
    """`url` is an address that the vendor fetches, or a `data:` URL."""

    url: str
    filename: str = ""


Part = TextPart | ImagePart | FilePart


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `tool_calls` stand with role `assistant` only; role `tool` answers the call whose
    id is `tool_call_id`, with the result as text in `content`.

    `parts` are what a user's turn consists of where it is more than a text; `content` then holds
    their texts, for whoever takes texts alone. `name` tells participants of one role apart, for
    vendors that know it.

    `vendor_data` is JSON that a vendor wants back with this turn as it came (signatures of hidden
    reasoning, for instance), under the provider's name; other providers pass over it.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    vendor_data: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """What a model may call; `parameters` is a JSON Schema of type `object`."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """A version of a prompt in an environment of the registry; `draft` is its working copy.
    `variant` is the one of the rollout that chose it."""

    key: str
    env: str
    version: str
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One question to a model.

    An empty `model` means the provider's default. Of `parameters` the shared names `temperature`,
    `max_tokens`, `top_p`, `stop` (text or list of texts) and `seed` are translated into the
    vendor's own; any other is passed on as it is. With `output_schema`, a JSON Schema, the answer's
    text is to be JSON of that form, as far as the vendor can promise it. `prompt` is the registry's
    that the messages come from: for whoever observes the call, vendors are not told of it.
    """

    messages: tuple[Message, ...]
    model: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = "auto"
    output_schema: Mapping[str, Any] | None = None
    prompt: PromptVersion | None = None

    @classmethod
    def of_text(cls, text: str, model: str = "") -> CompletionRequest:
        """A request that holds one user message."""
        return cls(messages=(Message("user", text),), model=model)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one completion; `estimated` when the vendor reported none and we counted.

    `prompt_tokens` includes `cached_tokens`, those that the vendor read from its cache.
    """

    prompt_tokens: int
    output_tokens: int
    estimated: bool
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class SpentCall:
    """A call of which nothing came but its costs: a chain went on to its next target. `kind` is the
    adapter of that provider."""

    provider: str
    kind: str
    model: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Completion:
    """A finished answer; `model` is the one that answered, as the provider names it.

    The stop reason `empty` marks an answer that ended well, with nothing in it: the gateway sets
    it, an adapter never. `notes` are sentences of ours for the trace: how the model was asked
    otherwise than it was meant to be. `spent` are the calls of the chain's targets before this one.
    """

    text: str
    model: str
    usage: Usage
    stop_reason: StopReason
    provider: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    vendor_data: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    spent: tuple[SpentCall, ...] = ()

    def as_message(self) -> Message:
        """The answer as the conversation's next turn."""
        return Message(
            "assistant", self.text, tool_calls=self.tool_calls, vendor_data=self.vendor_data
        )


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer, in order; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The last event of a stream that was not cut off; holds the whole answer once more, its tool
    calls included, which are not streamed in pieces."""

    completion: Completion


@dataclass(frozen=True, slots=True)
class Progress:
    """The model is at work, though there is no text yet: it thinks, or writes a tool call. For the
    gateway, which passes it on to nobody."""


StreamEvent = TextDelta | StreamEnd
AdapterEvent = StreamEvent | Progress


class Provider(Protocol):
    """Raises `ProviderError` and nothing else, from both methods."""

    @property
    def name(self) -> str: ...

    async def complete(self, request: CompletionRequest) -> Completion: ...

    def stream(self, request: CompletionRequest) -> AsyncGenerator[AdapterEvent, None]: ...
