"""Whatever a vendor sends: nothing but a `ProviderError` leaves an adapter, and no count is
impossible.

Thousands of mutations of recorded answers, streams and errors, the same ones in each run.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from harness.vendors import Answer, claude, gemini, ollama, openai
from harness.vendors.collecting import collected
from harness.vendors.mutations import mutated
from promptops_providers.adapters import VendorAdapter
from promptops_providers.answers.clean_answers import clean_completion
from promptops_providers.answers.json_values import MAX_COUNT
from promptops_providers.claude.adapter import Claude
from promptops_providers.errors import ProviderError
from promptops_providers.gateway import Credentials
from promptops_providers.gemini.adapter import Gemini
from promptops_providers.ollama.adapter import Ollama
from promptops_providers.openai.chat import ChatCompletions
from promptops_providers.openai.responses import Responses
from promptops_providers.protocol import Completion, CompletionRequest, Usage
from promptops_providers.transport.vendor_http import VendorHttp

KEY = "sk-very-secret-123456"
ASKED = CompletionRequest.of_text("Hi", "m")
STOP_REASONS = {"end", "length", "stop_sequence", "tool_calls"}
ROUNDS = 150

WHOLE: list[tuple[type[VendorAdapter], Any]] = [
    (ChatCompletions, openai.chat()),
    (
        ChatCompletions,
        openai.chat(
            "So",
            finish="tool_calls",
            tool_calls=[openai.chat_call(name, "weather", '{"a": [1]}') for name in "ab"],
        ),
    ),
    (ChatCompletions, openai.chat(None, refusal="No.")),
    (Responses, openai.response(openai.REASONING, openai.output_text(), openai.FUNCTION_CALL)),
    (Responses, openai.response(openai.output_refusal("No."))),
    (Responses, openai.response(status="incomplete", incomplete_details={"reason": "x"})),
    (Claude, claude.TOOL_MESSAGE),
    (Claude, claude.REFUSAL),
    (Gemini, gemini.answer(*gemini.PARTS)),
    (Gemini, gemini.BLOCKED),
    (Ollama, ollama.last("Hi", thinking="so", tool_calls=[ollama.call("weather", city="K")])),
]
STREAMS: list[tuple[type[VendorAdapter], list[Any]]] = [
    (ChatCompletions, openai.CHAT_STREAM),
    (ChatCompletions, openai.CHAT_TOOL_STREAM),
    (
        Responses,
        openai.response_stream(openai.response(openai.output_text(), openai.FUNCTION_CALL), "Hi"),
    ),
    (Claude, claude.STREAM),
    (Claude, claude.TOOL_STREAM),
    (Gemini, gemini.STREAM),
    (Gemini, gemini.TOOL_STREAM),
    (Ollama, ollama.STREAM),
]
ERRORS: list[tuple[type[VendorAdapter], Answer]] = [
    (ChatCompletions, openai.error(429, f"too many of {KEY}", "rate_limit_error", "x")),
    (Responses, openai.error(400, "too long", "invalid_request_error", "context_length_exceeded")),
    (Claude, claude.error(529, "overloaded_error", "Overloaded")),
    (
        Gemini,
        gemini.error(429, "RESOURCE_EXHAUSTED", gemini.OVER_QUOTA, gemini.RETRY_INFO, gemini.HELP),
    ),
    (Ollama, Answer.of_json({"error": "model not found"}, 404)),
]


class Sent(httpx.AsyncByteStream):
    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


class Vendor(httpx.AsyncBaseTransport):
    """Answers the same to everybody, without a socket: there are too many of them."""

    def __init__(self, answer: Answer, status: int = 200) -> None:
        self._answer = answer
        self._status = status

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        parts = [part for part in self._answer.parts if isinstance(part, bytes)]
        return httpx.Response(self._status, headers=self._answer.headers, stream=Sent(parts))


def adapter(kind: type[VendorAdapter], answer: Answer, status: int = 200) -> VendorAdapter:
    client = httpx.AsyncClient(transport=Vendor(answer, status), trust_env=False)
    return kind(VendorHttp("acme", kind.dialect, Credentials(KEY, "http://llm.test"), client))


def check_usage(usage: Usage | None) -> None:
    if usage is not None:
        counts = (usage.prompt_tokens, usage.output_tokens, usage.cached_tokens)
        assert all(type(count) is int and 0 <= count <= MAX_COUNT for count in counts), usage
        assert usage.cached_tokens <= usage.prompt_tokens


def check_completion(completion: Completion) -> Completion:
    """What of it is promised, also once it is cleaned and goes on as the next turn."""
    check_usage(completion.usage)
    assert completion.stop_reason in STOP_REASONS
    cleaned = clean_completion(replace(completion, provider="acme"), KEY)
    shown = [cleaned.text, cleaned.model, *(call.id + call.name for call in cleaned.tool_calls)]
    "".join(shown).encode()
    assert len({call.id for call in cleaned.tool_calls}) == len(cleaned.tool_calls)
    kept = [cleaned.vendor_data, *(dict(call.arguments) for call in cleaned.tool_calls)]
    json.dumps(kept, allow_nan=False, ensure_ascii=False).encode()
    return cleaned


async def check(kind: type[VendorAdapter], answer: Answer, *, streamed: bool) -> None:
    """Any exception but a `ProviderError` fails the test by itself."""
    asked = adapter(kind, answer)
    try:
        if streamed:
            _, completion = await collected(asked.stream(ASKED))
        else:
            completion = await asked.complete(ASKED)
        cleaned = check_completion(completion)
        turns = (*ASKED.messages, cleaned.as_message())
        await asked.complete(replace(ASKED, messages=turns))
    except ProviderError as error:
        check_error(error)


def check_error(error: ProviderError) -> None:
    check_usage(error.usage)
    assert error.sentence.startswith("provider acme: ")
    assert len(error.sentence) < 1000
    assert KEY not in error.sentence
    error.sentence.encode()
    assert error.retry_after is None or 0 <= error.retry_after <= 86_400


@pytest.mark.parametrize("number", range(len(WHOLE)))
async def test_whole_answers(number: int) -> None:
    kind, recorded = WHOLE[number]
    chance = random.Random(number)
    for _ in range(ROUNDS):
        await check(kind, Answer.of_json(mutated(recorded, chance)), streamed=False)


@pytest.mark.parametrize("number", range(len(STREAMS)))
async def test_streams(number: int) -> None:
    kind, recorded = STREAMS[number]
    chance = random.Random(number)
    for _ in range(ROUNDS):
        events = mutated(recorded, chance)
        answer = Answer.of_lines(events) if kind is Ollama else Answer.of_events(events)
        await check(kind, answer, streamed=True)


@pytest.mark.parametrize("number", range(len(ERRORS)))
async def test_errors(number: int) -> None:
    kind, recorded = ERRORS[number]
    chance = random.Random(number)
    value = json.loads(recorded.body)
    for _ in range(ROUNDS):
        answer = replace(recorded, parts=[json.dumps(mutated(value, chance)).encode()])
        for status in (recorded.status, 500):
            with pytest.raises(ProviderError) as caught:
                await adapter(kind, answer, status).complete(ASKED)
            check_error(caught.value)


@pytest.mark.parametrize("number", range(len(STREAMS)))
async def test_bytes(number: int) -> None:
    """Cut, doubled, turned and of another kind, anywhere."""
    kind, recorded = STREAMS[number]
    chance = random.Random(number)
    whole = (Answer.of_lines(recorded) if kind is Ollama else Answer.of_events(recorded)).body
    for _ in range(ROUNDS):
        at, size = chance.randrange(len(whole)), chance.randrange(1, 40)
        body = chance.choice(
            [
                whole[:at],
                whole[:at] + whole[at + size :],
                whole[:at] + chance.randbytes(size) + whole[at:],
                whole[:at] + whole[at : at + size] * 3 + whole[at:],
                whole[:at].replace(b"{", b"[") + whole[at:],
            ]
        )
        answer = Answer([body], headers={"content-type": "text/event-stream"})
        for streamed in (True, False):
            await check(kind, answer, streamed=streamed)
