"""What a server of Chat Completions wants back of its model's reasoning."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from harness.vendors import Answer, FakeVendor, openai
from harness.vendors.collecting import collected
from promptops_providers.adaptation.compatibility import Compatibility
from promptops_providers.gateway import Credentials, Target
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import Completion, CompletionRequest, Message
from promptops_providers.transport.address_policy import AddressPolicy

ASKED = CompletionRequest.of_text("Greet the world")
SIGNED = {"google": {"thought_signature": "CiQB0e2Kb4hT"}}
DETAILS = [
    {"type": "reasoning.text", "text": "Let me see", "signature": "abc", "index": 0, "format": "x"},
    {"type": "reasoning.encrypted", "data": "gAAAAA", "id": "rs_1", "index": 1, "format": "x"},
]
CALLS = [
    {**openai.chat_call("call_a", "weather", '{"city":"Köln"}'), "extra_content": SIGNED},
    openai.chat_call("call_b", "clock", "{}"),
]


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway(AddressPolicy(allow_loopback=True)) as opened:
        yield opened


def target(vendor: FakeVendor, name: str = "llm", **switches: Any) -> Target:
    credentials = Credentials("sk-very-secret-123456", vendor.url)
    compatibility = Compatibility(**switches)
    return Target(name, "m", "openai-compatible", credentials, compatibility=compatibility)


async def answered(gateway: Gateway, vendor: FakeVendor, **fields: Any) -> Completion:
    body = openai.chat(None, finish="tool_calls", tool_calls=CALLS)
    body["choices"][0]["message"].update(fields)
    vendor.answers(Answer.of_json(body))
    return await gateway.complete(ASKED, [target(vendor)])


async def streamed(
    gateway: Gateway, vendor: FakeVendor, *deltas: dict[str, Any], finish: str = "stop"
) -> Completion:
    chunks = [openai.chat_chunk(delta) for delta in deltas]
    vendor.answers(Answer.of_events([*chunks, openai.chat_chunk({}, finish)]))
    _, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    return completion


async def sent_back(
    gateway: Gateway, vendor: FakeVendor, completion: Completion, to: Target | None = None
) -> dict[str, Any]:
    """The answer's turn as the next call has it."""
    results = [Message("tool", "x", tool_call_id=call.id) for call in completion.tool_calls]
    turns = (*ASKED.messages, completion.as_message(), *results, Message("user", "And now?"))
    vendor.answers(Answer.of_json(openai.chat()))
    await gateway.complete(replace(ASKED, messages=turns), [to or target(vendor)])
    turn: dict[str, Any] = vendor.seen.json["messages"][1]
    return turn


async def test_reasoning_comes_back_as_it_came(gateway: Gateway, vendor: FakeVendor) -> None:
    completion = await answered(
        gateway,
        vendor,
        reasoning_content="Let me see",
        reasoning_details=DETAILS,
        extra_content=SIGNED,
    )
    turn = await sent_back(gateway, vendor, completion)
    assert turn["reasoning_content"] == "Let me see"
    assert turn["reasoning_details"] == DETAILS
    assert turn["extra_content"] == SIGNED
    first, second = turn["tool_calls"]
    assert first["extra_content"] == SIGNED
    assert "extra_content" not in second
    assert (first["id"], second["id"]) == ("call_a", "call_b")


async def test_an_answer_without_reasoning_keeps_nothing(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    completion = await answered(gateway, vendor, reasoning_content=None, reasoning_details=[])
    call = CALLS[1]
    vendor.answers(Answer.of_json(openai.chat(None, finish="tool_calls", tool_calls=[call])))
    plain = await gateway.complete(ASKED, [target(vendor)])
    assert plain.vendor_data == {}
    assert set(await sent_back(gateway, vendor, completion)) == {"role", "content", "tool_calls"}


async def test_a_stream_puts_it_together(gateway: Gateway, vendor: FakeVendor) -> None:
    whole, sealed = DETAILS
    piece = {"type": "reasoning.text", "index": 0, "format": "x"}
    call = {"index": 0, **CALLS[0]}
    completion = await streamed(
        gateway,
        vendor,
        {"reasoning_content": "Let ", "reasoning_details": [{**piece, "text": "Let "}]},
        {"reasoning_content": "me see", "reasoning_details": [{**piece, "text": "me see"}]},
        {"reasoning_details": [{**piece, "signature": "abc"}]},
        {"reasoning_details": [sealed]},
        {"tool_calls": [call], "extra_content": SIGNED},
        finish="tool_calls",
    )
    turn = await sent_back(gateway, vendor, completion)
    assert turn["reasoning_content"] == "Let me see"
    assert turn["reasoning_details"] == [whole, sealed]
    assert turn["extra_content"] == SIGNED
    assert turn["tool_calls"][0]["extra_content"] == SIGNED
    assert completion.text == ""


async def test_text_with_reasoning(gateway: Gateway, vendor: FakeVendor) -> None:
    """vLLM, Groq and others call it `reasoning`."""
    completion = await streamed(gateway, vendor, {"reasoning": "Hm"}, {"content": "Hello"})
    turn = await sent_back(gateway, vendor, completion)
    assert turn == {"role": "assistant", "content": "Hello", "reasoning": "Hm"}


async def test_another_connection_gets_none_of_it(gateway: Gateway, vendor: FakeVendor) -> None:
    completion = await answered(gateway, vendor, reasoning_content="Let me see")
    turn = await sent_back(gateway, vendor, completion, target(vendor, "another"))
    assert set(turn) == {"role", "content", "tool_calls"}
    assert "extra_content" not in turn["tool_calls"][0]


async def test_a_connection_may_say_that_it_is_not_wanted(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    completion = await answered(gateway, vendor, reasoning_content="Let me see")
    turn = await sent_back(gateway, vendor, completion, target(vendor, returns_reasoning=False))
    assert set(turn) == {"role", "content", "tool_calls"}


@pytest.mark.parametrize(
    "words",
    [
        "messages.1.reasoning_content: Extra inputs are not permitted",
        "The reasoning_content is in the input messages, which is not supported",
    ],
)
async def test_a_server_that_refuses_it_is_asked_without(
    gateway: Gateway, vendor: FakeVendor, words: str
) -> None:
    completion = await answered(gateway, vendor, reasoning_content="Let me see")
    turns = (*ASKED.messages, completion.as_message(), Message("user", "And now?"))
    refused = Answer.of_json({"error": {"message": words}}, 400)
    vendor.answers(refused, Answer.of_json(openai.chat()))
    again = await gateway.complete(replace(ASKED, messages=turns), [target(vendor)])
    assert "reasoning_content" not in vendor.seen.json["messages"][1]
    assert again.notes == (
        "the provider refused the request; it was asked again without the reasoning of earlier "
        "answers",
    )


@pytest.mark.parametrize("value", [5, "x", [5, None, "x"], {"a": 1}, [{"type": 5, "text": 7}]])
async def test_reasoning_of_unusual_shape_is_no_fault(
    gateway: Gateway, vendor: FakeVendor, value: Any
) -> None:
    shapes = {"reasoning_content": value, "reasoning_details": value, "extra_content": value}
    completion = await answered(gateway, vendor, **shapes)
    await sent_back(gateway, vendor, completion)
    await streamed(gateway, vendor, shapes, shapes, {"content": "Hello"})
