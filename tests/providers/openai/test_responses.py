"""The Responses API of OpenAI, and when Chat Completions is used instead of it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from harness.vendors import Answer, FakeVendor, openai
from harness.vendors.collecting import collected
from promptops_providers import errors
from promptops_providers.default_models import DEFAULT_MODELS
from promptops_providers.gateway import Credentials, Target
from promptops_providers.openai.adapter import OpenAI
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import (
    Completion,
    CompletionRequest,
    Message,
    Tool,
    ToolCall,
    Usage,
)
from promptops_providers.transport.address_policy import AddressPolicy
from promptops_providers.transport.clients import Timeouts, guarded_client
from promptops_providers.transport.vendor_http import VendorHttp

KEY = "sk-very-secret-123456"
ASKED = CompletionRequest.of_text("Greet the world")
OPEN = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest_asyncio.fixture
async def provider(vendor: FakeVendor) -> AsyncIterator[OpenAI]:
    """OpenAI whose own address is the fake vendor's."""
    dialect = replace(OpenAI.dialect, root=vendor.url)
    async with guarded_client(AddressPolicy(allow_loopback=True), Timeouts()) as client:
        yield OpenAI(VendorHttp("openai", dialect, Credentials(KEY), client))


async def test_an_answer_with_all_that_is_reported(provider: OpenAI, vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_json(openai.response(openai.REASONING, openai.output_text())))
    completion = await provider.complete(ASKED)
    assert completion == Completion(
        text="Grüße, 世界!",
        model="gpt-6.2-sol-2026-11-01",
        usage=Usage(36, 87, estimated=False, cached_tokens=12),
        stop_reason="end",
        vendor_data={"openai": {"output": [openai.REASONING, openai.output_text()]}},
    )
    assert vendor.seen.path == "/v1/responses"
    assert vendor.seen.headers["authorization"] == f"Bearer {KEY}"
    assert vendor.seen.json == {
        "model": DEFAULT_MODELS["openai"],
        "input": [{"role": "user", "content": "Greet the world"}],
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


async def test_everything_that_can_be_asked(provider: OpenAI, vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_json(openai.response(openai.output_text())))
    kept = {"openai": {"output": [openai.REASONING, openai.FUNCTION_CALL]}}
    request = CompletionRequest(
        messages=(
            Message("developer", "Be brief"),
            Message("user", "The weather?"),
            Message("assistant", "Let me see", (ToolCall("c1", "clock", {}),)),
            Message("tool", "noon", tool_call_id="c1"),
            Message("assistant", "", (ToolCall("c2", "weather", {}),), vendor_data=kept),
            Message("tool", "rain", tool_call_id="c2"),
        ),
        model="gpt-4.1",
        parameters={
            "max_tokens": 9,
            "temperature": 0,
            "reasoning_effort": "low",
            "text": {"verbosity": "low"},
            "top_p": None,
        },
        tools=(Tool("weather", "The weather", OPEN),),
        tool_choice="none",
        output_schema=OPEN,
    )
    await provider.complete(request)
    assert vendor.seen.json == {
        "model": "gpt-4.1",
        "input": [
            {"role": "developer", "content": "Be brief"},
            {"role": "user", "content": "The weather?"},
            {"role": "assistant", "content": "Let me see"},
            {"type": "function_call", "call_id": "c1", "name": "clock", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "noon"},
            openai.REASONING,
            openai.FUNCTION_CALL,
            {"type": "function_call_output", "call_id": "c2", "output": "rain"},
        ],
        "store": False,
        "max_output_tokens": 9,
        "temperature": 0,
        "reasoning": {"effort": "low"},
        "tools": [
            {
                "type": "function",
                "name": "weather",
                "description": "The weather",
                "parameters": OPEN,
                "strict": False,
            }
        ],
        "tool_choice": "none",
        "text": {
            "verbosity": "low",
            "format": {"type": "json_schema", "name": "answer", "schema": OPEN, "strict": False},
        },
    }


async def test_a_tool_call_comes_back_as_the_next_turn(
    provider: OpenAI, vendor: FakeVendor
) -> None:
    vendor.answers(Answer.of_json(openai.response(openai.REASONING, openai.FUNCTION_CALL)))
    completion = await provider.complete(ASKED)
    call = ToolCall("call_unLAR8MvFNptuiZK6K6HCy5k", "weather", {"city": "Köln"})
    assert (completion.stop_reason, completion.tool_calls) == ("tool_calls", (call,))
    answered = Message("tool", "rain", tool_call_id=call.id)
    turns = (*ASKED.messages, completion.as_message(), answered)
    await provider.complete(replace(ASKED, messages=turns))
    assert vendor.seen.json["input"] == [
        {"role": "user", "content": "Greet the world"},
        openai.REASONING,
        openai.FUNCTION_CALL,
        {"type": "function_call_output", "call_id": call.id, "output": "rain"},
    ]


@pytest.mark.parametrize("size", [None, 1, 5])
async def test_a_stream(provider: OpenAI, vendor: FakeVendor, size: int | None) -> None:
    whole = openai.response(openai.output_text())
    answer = Answer.of_events(openai.response_stream(whole, "Grüße, ", "世界!"), done=None)
    vendor.answers(answer.in_portions_of(size) if size else answer, Answer.of_json(whole))
    pieces, completion = await collected(provider.stream(ASKED))
    assert pieces == ["Grüße, ", "世界!"]
    assert completion == await provider.complete(ASKED)
    assert vendor.requests[0].json["stream"] is True
    assert vendor.connections == 1


async def test_an_answer_that_was_too_long(provider: OpenAI, vendor: FakeVendor) -> None:
    whole = openai.response(
        openai.output_text("Grü"),
        status="incomplete",
        incomplete_details={"reason": "max_output_tokens"},
    )
    stream = openai.response_stream(whole, "Grü", end="incomplete")
    vendor.answers(Answer.of_events(stream, done=None))
    _, completion = await collected(provider.stream(ASKED))
    assert (completion.text, completion.stop_reason) == ("Grü", "length")


FAILED = openai.response(
    status="failed", error={"code": "rate_limit_exceeded", "message": "Rate limit reached"}
)
FILTERED = openai.response(
    openai.output_text(""), status="incomplete", incomplete_details={"reason": "content_filter"}
)


@pytest.mark.parametrize(
    ("events", "error"),
    [
        (openai.response_stream(FAILED, "a", end="failed"), errors.RateLimitedError),
        ([openai.error_event("server_error", "Sorry")], errors.OverloadedError),
        ([openai.error_event("context_length_exceeded", "long")], errors.ContextTooLongError),
        (openai.response_stream(FILTERED, end="incomplete"), errors.RefusedError),
        (
            openai.response_stream(openai.response(openai.output_refusal("No."))),
            errors.RefusedError,
        ),
        (openai.response_stream({}, "a")[:-1], errors.StreamCutOffError),
        ([{"type": "response.completed"}], errors.StreamCutOffError),
    ],
)
async def test_streams_that_fail(
    provider: OpenAI, vendor: FakeVendor, events: Any, error: type[errors.ProviderError]
) -> None:
    vendor.answers(Answer.of_events(events, done=None))
    with pytest.raises(errors.ProviderError) as caught:
        await collected(provider.stream(ASKED))
    assert type(caught.value) is error


@pytest.mark.parametrize("only", [{"stop": ["x"]}, {"stop": "x"}, {"seed": 1}, {"seed": 0}])
async def test_stop_and_seed_are_known_to_chat_completions_only(
    provider: OpenAI, vendor: FakeVendor, only: dict[str, Any]
) -> None:
    vendor.answers(Answer.of_json(openai.chat()))
    await provider.complete(replace(ASKED, parameters={**only, "max_tokens": 5}))
    assert vendor.seen.path == "/v1/chat/completions"
    assert vendor.seen.json["max_completion_tokens"] == 5
    assert vendor.seen.json["model"] == DEFAULT_MODELS["openai"]


async def test_a_base_url_leads_to_chat_completions(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_events(openai.CHAT_STREAM))
    target = Target("openai", credentials=Credentials(base_url=f"{vendor.url}/v1"))
    _, completion = await collected(gateway.stream(ASKED, [target]))
    assert completion.text == "Grüße, 世界!"
    assert vendor.seen.path == "/v1/chat/completions"


async def test_openai_itself_wants_a_key(gateway: Gateway) -> None:
    with pytest.raises(errors.AuthenticationError) as caught:
        await gateway.complete(ASKED, [Target("openai")])
    assert str(caught.value) == "provider openai: no API key is given"
