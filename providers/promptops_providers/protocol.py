"""The one protocol behind which every model provider stands.

Messages and answers are plain frozen values, independent of any vendor's wire format; an adapter
translates both ways. Parts that later grow (tool calls, structured output) are added as fields with
a default, so that what is written against these types today keeps working.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Role = Literal["system", "user", "assistant"]
StopReason = Literal["end", "length", "stop_sequence"]


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One question to a model.

    An empty `model` means the provider's default. `parameters` are passed on under the names that
    the vendors share (`temperature`, `max_tokens`, `top_p`).
    """

    messages: tuple[Message, ...]
    model: str = ""
    parameters: Mapping[str, float | int | str | bool] = field(default_factory=dict)

    @classmethod
    def of_text(cls, text: str, model: str = "") -> CompletionRequest:
        """A request that holds one user message."""
        return cls(messages=(Message("user", text),), model=model)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one completion; `estimated` when the vendor reported none and we counted."""

    prompt_tokens: int
    output_tokens: int
    estimated: bool


@dataclass(frozen=True, slots=True)
class Completion:
    """A finished answer; `model` is the one that answered, as the provider names it."""

    text: str
    model: str
    usage: Usage
    stop_reason: StopReason


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer, in order; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The last event of a stream that was not cut off; holds the whole answer once more."""

    completion: Completion


StreamEvent = TextDelta | StreamEnd


class Provider(Protocol):
    """Raises `ProviderError` and nothing else, from both methods."""

    @property
    def name(self) -> str: ...

    async def complete(self, request: CompletionRequest) -> Completion: ...

    def stream(self, request: CompletionRequest) -> AsyncIterator[StreamEvent]: ...
