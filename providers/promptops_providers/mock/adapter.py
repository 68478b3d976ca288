"""The mock provider: answers without a model, the same every time.

The answer begins with `[mock completion]` and holds the first line of the prompt (its last user
message, with images and files as `[image_url https://…]`). What the provider does besides is
chosen by the model's name:

| Model | What it does |
|---|---|
| any other name, or none | answers at once |
| `mock-echo` | the whole prompt, without the prefix |
| `mock-slow-<n>ms` | answers after `n` milliseconds (at most 60,000); a stream spreads them |
| `mock-slow-start-<n>ms` | the same, but a stream waits before its first piece only |
| `mock-chunks-<n>` | streams `n` characters at a time instead of 12 |
| `mock-tool-<name>` | calls that tool once when it is given, then answers with its result |
| `mock-tools` | calls every given tool once, in one answer, then answers with their results |
| `mock-invalid-json` | with an output schema, answers no JSON; asked again after that, valid JSON |
| `mock-never-json` | with an output schema, never answers JSON |
| `mock-fail-<code>` | fails with that error: `authentication_failed`, `bad_request`, |
| | `context_too_long`, `refused`, `quota_exceeded`, `rate_limited` (retry after 1 s), |
| | `overloaded`, `unreachable`, `timeout`, `malformed_answer`, `stream_cut_off` (a stream gives |
| | half of the answer first) |

In `<code>` a hyphen counts as an underscore, so `mock-fail-rate-limited` works too. With an output
schema, every model but the failing ones answers with the least JSON that the schema accepts, and
tools are called with the least arguments that theirs does. "Then" means: when results of tools
follow the last user message. Usage is an estimate, marked so: one token for every four characters,
rounded up.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator

from promptops_providers.answers.estimates import estimated_usage
from promptops_providers.errors import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    MalformedAnswerError,
    OverloadedError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitedError,
    RefusedError,
    RequestTooLargeError,
    StreamCutOffError,
    UnreachableError,
)
from promptops_providers.mock.schema_instances import (
    InstanceBudget,
    InstanceTooLargeError,
    least_instance,
)
from promptops_providers.parts import shown_url, type_of
from promptops_providers.protocol import (
    Completion,
    CompletionRequest,
    Part,
    StreamEnd,
    StreamEvent,
    TextDelta,
    TextPart,
    ToolCall,
)

PREFIX = "[mock completion]"
DEFAULT_MODEL = "mock-1"

_PIECE = 12
_FAIL = "mock-fail-"
_TOOL = "mock-tool-"
_NOT_JSON = f"{PREFIX} this is not JSON"
_SLOW = re.compile(r"mock-slow-(start-)?(\d{1,6})ms", re.ASCII)
_CHUNKS = re.compile(r"mock-chunks-(\d{1,4})", re.ASCII)
_LONGEST_DELAY_MS = 60_000
_FAILURES: tuple[tuple[type[ProviderError], str], ...] = (
    (AuthenticationError, "the API key was refused"),
    (BadRequestError, "the request was refused as malformed"),
    (ContextTooLongError, "the prompt does not fit into the model's context window"),
    (RefusedError, "the model declined to answer"),
    (QuotaExceededError, "the account's quota is used up"),
    (RateLimitedError, "too many requests, try again in 1 second"),
    (OverloadedError, "the provider is overloaded, try again later"),
    (UnreachableError, "the host could not be reached"),
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
        await asyncio.sleep(sum(_delays(request.model, 1)))
        return _completion_for(request)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[StreamEvent, None]:
        completion = _completion_for(request)
        pieces = _pieces(completion.text, request.model)
        failure = _failure_for(request.model)
        if failure is not None:
            if isinstance(failure, StreamCutOffError):
                for piece in pieces[: len(pieces) // 2]:
                    yield TextDelta(piece)
            raise failure
        for piece, delay in zip(pieces, _delays(request.model, len(pieces)), strict=True):
            await asyncio.sleep(delay)
            yield TextDelta(piece)
        yield StreamEnd(completion)


def _completion_for(request: CompletionRequest) -> Completion:
    try:
        return _made_completion(request)
    except InstanceTooLargeError as error:
        raise RequestTooLargeError(MockProvider.name, f"provider mock: {error}") from error


def _made_completion(request: CompletionRequest) -> Completion:
    results = _results(request)
    calls = () if results else _calls_for(request)
    text = "" if calls else _text_for(request, results)
    counted = json.dumps([dict(call.arguments) for call in calls]) if calls else text
    return Completion(
        text=text,
        model=request.model or DEFAULT_MODEL,
        usage=estimated_usage(request, counted),
        stop_reason="tool_calls" if calls else "end",
        tool_calls=calls,
    )


def _calls_for(request: CompletionRequest) -> tuple[ToolCall, ...]:
    if request.tool_choice == "none":
        return ()
    called = [
        tool
        for tool in request.tools
        if request.model == "mock-tools" or request.model == _TOOL + tool.name
    ]
    earlier = sum(len(message.tool_calls) for message in request.messages)
    budget = InstanceBudget()
    return tuple(
        ToolCall(f"call_{number}", tool.name, least_instance(tool.parameters, budget) or {})
        for number, tool in enumerate(called, earlier + 1)
    )


def _results(request: CompletionRequest) -> list[str]:
    """What the tools answered since the last user message, with their names before it."""
    names = {call.id: call.name for message in request.messages for call in message.tool_calls}
    results: list[str] = []
    for message in request.messages:
        if message.role == "user":
            results.clear()
        elif message.role == "tool":
            results.append(f"{names.get(message.tool_call_id, 'tool')}: {message.content}")
    return results


def _text_for(request: CompletionRequest, results: list[str]) -> str:
    if request.output_schema is not None:
        asked_before = any(message.content == _NOT_JSON for message in request.messages)
        if request.model == "mock-never-json" or (
            request.model == "mock-invalid-json" and not asked_before
        ):
            return _NOT_JSON
        return json.dumps(least_instance(request.output_schema), ensure_ascii=False)
    if results:
        return f"{PREFIX} {'; '.join(results)}"
    prompt = _last_user_message(request)
    return prompt if request.model == "mock-echo" else _answer(prompt)


def _answer(prompt: str) -> str:
    first_line, _, _ = prompt.partition("\n")
    return f"{PREFIX} {first_line.strip()}".rstrip()


def _last_user_message(request: CompletionRequest) -> str:
    for message in reversed(request.messages):
        if message.role == "user":
            return "\n\n".join(map(_shown, message.parts)) if message.parts else message.content
    return ""


def _shown(part: Part) -> str:
    return part.text if isinstance(part, TextPart) else f"[{type_of(part)} {shown_url(part)}]"


def _pieces(text: str, model: str) -> list[str]:
    chunks = _CHUNKS.fullmatch(model)
    size = max(1, int(chunks[1])) if chunks else _PIECE
    return [text[start : start + size] for start in range(0, len(text), size)]


def _delays(model: str, pieces: int) -> list[float]:
    """Seconds before each piece."""
    slow = _SLOW.fullmatch(model)
    if slow is None or not pieces:
        return [0.0] * pieces
    seconds = min(int(slow[2]), _LONGEST_DELAY_MS) / 1000
    if slow[1]:
        return [seconds, *[0.0] * (pieces - 1)]
    return [seconds / pieces] * pieces


def _failure_for(model: str) -> ProviderError | None:
    if not model.startswith(_FAIL):
        return None
    failure = _FAILURE_BY_CODE.get(model.removeprefix(_FAIL).replace("-", "_"))
    if failure is None:
        return None
    error, why = failure
    retry_after = 1.0 if error is RateLimitedError else None
    return error(MockProvider.name, f"provider mock: {why}", retry_after=retry_after)
