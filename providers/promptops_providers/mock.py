"""The mock provider: answers without a model, the same every time.

The answer begins with `[mock completion]` and holds the first line of the prompt (its last user
message). What the provider does besides is chosen by the model's name:

| Model | What it does |
|---|---|
| any other name, or none | answers at once |
| `mock-slow-<n>ms` | answers after `n` milliseconds (at most 60,000); a stream spreads them |
| `mock-echo` | the whole prompt, without the prefix |
| `mock-fail-<code>` | fails with that error: `authentication_failed`, `bad_request`, |
| | `context_too_long`, `refused`, `rate_limited` (retry after 1 s), `overloaded`, `timeout`, |
| | `malformed_answer`, `stream_cut_off` (a stream gives half of the answer first) |

In `<code>` a hyphen counts as an underscore, so `mock-fail-rate-limited` works too. Usage is an
estimate, marked so: one token for every four characters, rounded up.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator

from promptops_providers.errors import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    MalformedAnswerError,
    OverloadedError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    RefusedError,
    StreamCutOffError,
)
from promptops_providers.estimates import estimated_usage
from promptops_providers.protocol import (
    Completion,
    CompletionRequest,
    StreamEnd,
    StreamEvent,
    TextDelta,
)

PREFIX = "[mock completion]"
DEFAULT_MODEL = "mock-1"

_PIECE = 12
_FAIL = "mock-fail-"
_SLOW = re.compile(r"mock-slow-(\d{1,6})ms", re.ASCII)
_LONGEST_DELAY_MS = 60_000
_FAILURES: tuple[tuple[type[ProviderError], str], ...] = (
    (AuthenticationError, "the API key was refused"),
    (BadRequestError, "the request was refused as malformed"),
    (ContextTooLongError, "the prompt does not fit into the model's context window"),
    (RefusedError, "the model declined to answer"),
    (RateLimitedError, "too many requests, try again in 1 second"),
    (OverloadedError, "the provider is overloaded, try again later"),
    (ProviderTimeoutError, "the provider did not answer in time"),
    (MalformedAnswerError, "the provider's answer could not be read"),
    (StreamCutOffError, "the answer broke off before its end"),
)
_FAILURE_BY_CODE = {error.code: (error, why) for error, why in _FAILURES}


class MockProvider:
    """See the table at the top of this file."""

    name = "mock"

    async def complete(self, request: CompletionRequest) -> Completion:
        failure = _failure_for(request.model)
        if failure is not None:
            raise failure
        await asyncio.sleep(_delay_seconds(request.model))
        return _completion_for(request)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[StreamEvent, None]:
        completion = _completion_for(request)
        pieces = _pieces(completion.text)
        failure = _failure_for(request.model)
        if failure is not None:
            if isinstance(failure, StreamCutOffError):
                for piece in pieces[: len(pieces) // 2]:
                    yield TextDelta(piece)
            raise failure
        for piece in pieces:
            await asyncio.sleep(_delay_seconds(request.model) / len(pieces))
            yield TextDelta(piece)
        yield StreamEnd(completion)


def _completion_for(request: CompletionRequest) -> Completion:
    prompt = _last_user_message(request)
    text = prompt if request.model == "mock-echo" else _answer(prompt)
    return Completion(
        text=text,
        model=request.model or DEFAULT_MODEL,
        usage=estimated_usage(request, text),
        stop_reason="end",
    )


def _answer(prompt: str) -> str:
    first_line, _, _ = prompt.partition("\n")
    return f"{PREFIX} {first_line.strip()}".rstrip()


def _last_user_message(request: CompletionRequest) -> str:
    for message in reversed(request.messages):
        if message.role == "user":
            return message.content
    return ""


def _pieces(text: str) -> list[str]:
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]


def _delay_seconds(model: str) -> float:
    slow = _SLOW.fullmatch(model)
    return min(int(slow[1]), _LONGEST_DELAY_MS) / 1000 if slow else 0.0


def _failure_for(model: str) -> ProviderError | None:
    if not model.startswith(_FAIL):
        return None
    known = _FAILURE_BY_CODE.get(model.removeprefix(_FAIL).replace("-", "_"))
    if known is None:
        return None
    error, why = known
    retry_after = 1.0 if error is RateLimitedError else None
    return error(MockProvider.name, f"provider mock: {why}", retry_after=retry_after)
