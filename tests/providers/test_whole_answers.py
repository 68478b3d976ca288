"""Servers that answer with one JSON object where a stream was asked for."""

import json
from dataclasses import replace
from typing import Any

import pytest

from harness.vendors import Answer, FakeVendor, claude, gemini, ollama, openai
from harness.vendors.collecting import collected
from promptops_providers import errors
from promptops_providers.gateway import Credentials, Target
from promptops_providers.openai.responses import Responses
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import CompletionRequest
from promptops_providers.transport.address_policy import AddressPolicy
from promptops_providers.transport.clients import Timeouts, guarded_client
from promptops_providers.transport.vendor_http import MAX_ANSWER_BYTES, VendorHttp

ASKED = CompletionRequest.of_text("Greet the world")
TEXT = "Grüße, 世界!"
CALL = openai.chat_call("call-1", "weather", '{"city": "Köln"}')
ANSWERS: dict[str, dict[str, Any]] = {
    "openai-compatible": openai.chat(),
    "openai": openai.chat(),
    "claude": claude.message(),
    "gemini": gemini.answer(),
    "ollama": ollama.last(TEXT),
}


def target(vendor: FakeVendor, kind: str = "openai-compatible") -> Target:
    return Target(kind, "m-1", credentials=Credentials("sk-very-secret-123456", vendor.url))


def pretty(value: Any, content_type: str = "application/json") -> Answer:
    """Over several lines, after blank ones, as servers send that keep the connection busy."""
    parts = [b"\n", b" \n", json.dumps(value, indent=2, ensure_ascii=False).encode()]
    return Answer(parts, headers={"content-type": content_type})


@pytest.mark.parametrize("kind", ANSWERS)
async def test_it_is_the_whole_answer(gateway: Gateway, vendor: FakeVendor, kind: str) -> None:
    vendor.answers(Answer.of_json(ANSWERS[kind]))
    whole = await gateway.complete(ASKED, [target(vendor, kind)])
    assert await collected(gateway.stream(ASKED, [target(vendor, kind)])) == ([TEXT], whole)


@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_however_it_is_sent(
    gateway: Gateway, vendor: FakeVendor, size: int, content_type: str
) -> None:
    vendor.answers(pretty(openai.chat(), content_type).in_portions_of(size))
    pieces, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert (pieces, completion.text, completion.stop_reason) == ([TEXT], TEXT, "end")


async def test_the_responses_api(vendor: FakeVendor) -> None:
    dialect = replace(Responses.dialect, root=vendor.url)
    vendor.answers(Answer.of_json(openai.response(openai.output_text())))
    async with guarded_client(AddressPolicy(allow_loopback=True), Timeouts()) as client:
        provider = Responses(VendorHttp("openai", dialect, Credentials("k"), client))
        _, completion = await collected(provider.stream(ASKED))
        assert completion == await provider.complete(ASKED)
    assert completion.text == TEXT


async def test_calls_of_tools_come_too(gateway: Gateway, vendor: FakeVendor) -> None:
    calls = [CALL, {**CALL, "id": "call-2"}]
    vendor.answers(Answer.of_json(openai.chat(None, finish="tool_calls", tool_calls=calls)))
    pieces, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert (pieces, [call.id for call in completion.tool_calls]) == ([], ["call-1", "call-2"])


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            Answer.of_json({"error": {"message": "the model is loading"}}),
            errors.OverloadedError,
            "the model is loading",
        ),
        (Answer.of_json({"object": "list"}), errors.MalformedAnswerError, "it has no message"),
        (
            Answer.of_json(openai.chat()).ended_after(40),
            errors.MalformedAnswerError,
            "it is not JSON",
        ),
        (Answer.of_json(openai.chat()).cut_after(40), errors.StreamCutOffError, "broke off"),
        (Answer([b'{"a": "\xff"}']), errors.MalformedAnswerError, "not UTF-8"),
        (
            Answer([b'{"a": "', b"x" * MAX_ANSWER_BYTES, b'"}']),
            errors.MalformedAnswerError,
            "longer than",
        ),
    ],
)
async def test_what_is_no_answer(
    gateway: Gateway,
    vendor: FakeVendor,
    answer: Answer,
    error: type[errors.ProviderError],
    words: str,
) -> None:
    vendor.answers(answer)
    with pytest.raises(error, match=words):
        await collected(gateway.stream(ASKED, [target(vendor)]))


async def test_an_empty_one_falls_back(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_json(openai.chat("")), Answer.of_json(openai.chat()))
    pieces, completion = await collected(
        gateway.stream(ASKED, [target(vendor), target(vendor, "openai")])
    )
    assert (pieces, completion.provider) == ([TEXT], "openai")


def message_chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    chunk = openai.chat_chunk({}, finish)
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    return {**chunk, "choices": [{**choice, "finish_reason": finish}]}


@pytest.mark.parametrize(
    "events",
    [
        [openai.chat()],
        [message_chunk("Grüße, "), message_chunk("世界!", "stop")],
        [openai.chat_chunk({"content": TEXT}), message_chunk(TEXT, "stop")],
    ],
    ids=["one event", "pieces", "once more at the end"],
)
async def test_events_with_messages_instead_of_deltas(
    gateway: Gateway, vendor: FakeVendor, events: list[Any]
) -> None:
    vendor.answers(Answer.of_events(events))
    pieces, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert ("".join(pieces), completion.text) == (TEXT, TEXT)
