"""What is sent to Claude."""

import json
from dataclasses import replace
from typing import Any

import pytest

from harness.vendors import Answer, FakeVendor, claude
from promptops_providers.gateway import Credentials, Target
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import (
    CompletionRequest,
    Message,
    Tool,
    ToolCall,
    ToolChoice,
)

KEY = "sk-ant-api03-very-secret"
ASKED = CompletionRequest.of_text("Greet the world")
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = Tool("weather", "The weather of a city", CITY)
CLOCK = Tool("clock", "The time", {"type": "object", "properties": {}})


def target(vendor: FakeVendor, model: str = "claude-sonnet-5-5", base: str = "") -> Target:
    credentials = Credentials(KEY, vendor.url + base)
    return Target("my-claude", model, kind="claude", credentials=credentials)


async def sent(
    gateway: Gateway, vendor: FakeVendor, request: CompletionRequest, model: str = "claude-opus-5-5"
) -> Any:
    vendor.answers(Answer.of_json(claude.message()))
    await gateway.complete(request, [target(vendor, model)])
    return vendor.seen.json


@pytest.mark.parametrize("base", ["", "/", "/v1", "/v1/"])
async def test_the_base_url_may_end_in_the_version(
    gateway: Gateway, vendor: FakeVendor, base: str
) -> None:
    vendor.answers(Answer.of_json(claude.message()))
    await gateway.complete(ASKED, [target(vendor, base=base)])
    assert vendor.seen.path == "/v1/messages"


async def test_without_a_model_it_is_the_default(gateway: Gateway, vendor: FakeVendor) -> None:
    assert (await sent(gateway, vendor, ASKED, ""))["model"] == "claude-sonnet-5-5"


async def test_everything_that_can_be_asked(gateway: Gateway, vendor: FakeVendor) -> None:
    request = CompletionRequest(
        messages=(
            Message("system", "Be brief"),
            Message("user", "Hello"),
            Message("user", "Are you there?"),
            Message("assistant", "Yes"),
            Message("developer", "In French"),
            Message("user", "The weather?"),
        ),
        parameters={
            "temperature": 0.5,
            "max_tokens": 9,
            "top_p": 1,
            "stop": "x",
            "seed": 4,
            "top_k": 5,
            "output_config": {"effort": "low"},
            "metadata": None,
        },
        tools=(WEATHER,),
        output_schema=CITY,
    )
    assert await sent(gateway, vendor, request, "glm-5") == {
        "model": "glm-5",
        "max_tokens": 9,
        "system": "Be brief\n\nIn French",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Hello"},
                    {"type": "text", "text": "Are you there?"},
                ],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "Yes"}]},
            {"role": "user", "content": [{"type": "text", "text": "The weather?"}]},
        ],
        "temperature": 0.5,
        "top_p": 1,
        "top_k": 5,
        "stop_sequences": ["x"],
        "tools": [
            {"name": "weather", "description": "The weather of a city", "input_schema": CITY}
        ],
        "tool_choice": {"type": "auto"},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": CITY}},
    }


async def test_empty_text_is_not_sent(gateway: Gateway, vendor: FakeVendor) -> None:
    messages = (Message("system", ""), Message("user", " "), Message("assistant", ""))
    request = CompletionRequest((*messages, Message("user", "Hello")))
    body = await sent(gateway, vendor, request)
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
    assert "system" not in body


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("claude-opus-5-5", 32_000),
        ("claude-3-5-haiku-20241022", 8_192),
        ("claude-3-haiku-20240307", 4_096),
        ("claude-opus-4-1", 32_000),
        ("of-another-vendor", 32_000),
    ],
)
async def test_the_limit_that_claude_demands(
    gateway: Gateway, vendor: FakeVendor, model: str, limit: int
) -> None:
    assert (await sent(gateway, vendor, ASKED, model))["max_tokens"] == limit


@pytest.mark.parametrize(
    ("model", "choice", "sent_choice", "in_words"),
    [
        ("claude-sonnet-4-6", "required", "any", False),
        ("claude-opus-4-5-20251101", "required", "any", False),
        ("claude-haiku-4-5", "required", "any", False),
        ("claude-sonnet-5", "required", "any", False),
        ("of-another-vendor", "required", "any", False),
        ("claude-sonnet-5-5", "required", "auto", True),
        ("claude-haiku-5-5", "required", "auto", True),
        ("claude-fable-5-2", "required", "auto", True),
        ("claude-opus-6", "required", "auto", True),
        ("claude-sonnet-5-5", "none", "none", False),
        ("claude-sonnet-5-5", "auto", "auto", False),
    ],
)
async def test_newer_models_are_told_to_call_a_tool_instead_of_forced(
    gateway: Gateway,
    vendor: FakeVendor,
    model: str,
    choice: ToolChoice,
    sent_choice: str,
    in_words: bool,
) -> None:
    request = CompletionRequest(ASKED.messages, tools=(CLOCK,), tool_choice=choice)
    body = await sent(gateway, vendor, request, model)
    assert body["tool_choice"] == {"type": sent_choice}
    assert ("at least one of the tools" in body.get("system", "")) is in_words


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        ("claude-sonnet-5-5", {"type": "object", "additionalProperties": {"type": "string"}}),
        ("claude-3-haiku-20240307", CITY),
        ("claude-sonnet-4-20250514", CITY),
        ("claude-opus-4-1", CITY),
    ],
)
async def test_a_schema_that_cannot_be_enforced_is_told(
    gateway: Gateway, vendor: FakeVendor, model: str, schema: dict[str, Any]
) -> None:
    request = CompletionRequest(ASKED.messages, output_schema=schema)
    body = await sent(gateway, vendor, request, model)
    assert "output_config" not in body
    assert "JSON" in body["system"]
    assert '"type": "object"' in body["system"]


async def test_tool_calls_and_their_results(gateway: Gateway, vendor: FakeVendor) -> None:
    asked = (Message("user", "The weather?"),)
    vendor.answers(Answer.of_json(claude.TOOL_MESSAGE), Answer.of_json(claude.message()))
    completion = await gateway.complete(
        CompletionRequest(asked, tools=(WEATHER, CLOCK)), [target(vendor)]
    )
    assert (completion.text, completion.stop_reason) == ("I look.", "tool_calls")
    assert completion.tool_calls == (
        ToolCall("toolu_01A", "weather", {"city": "Köln"}),
        ToolCall("toolu_01B", "clock", {}),
    )
    answered = (
        *asked,
        completion.as_message(),
        Message("tool", "rain", tool_call_id="toolu_01A"),
        Message("tool", "", tool_call_id="toolu_01B"),
    )
    await gateway.complete(CompletionRequest(answered, tools=(WEATHER, CLOCK)), [target(vendor)])
    _, called, results = vendor.seen.json["messages"]
    assert called == {"role": "assistant", "content": claude.TOOL_MESSAGE["content"]}
    assert results == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_01A", "content": "rain"},
            {"type": "tool_result", "tool_use_id": "toolu_01B", "content": ""},
        ],
    }


@pytest.mark.parametrize(
    ("model", "kept"), [("claude-sonnet-5-5", False), ("claude-sonnet-4-6", True)]
)
async def test_newer_models_get_thinking_only_after_the_same_conversation(
    gateway: Gateway, vendor: FakeVendor, model: str, kept: bool
) -> None:
    vendor.answers(Answer.of_json(claude.TOOL_MESSAGE))
    before = (Message("system", "Be brief"), Message("user", "Hi"), Message("assistant", "Hello"))
    asked = (*before, Message("user", "The weather?"))
    completion = await gateway.complete(
        CompletionRequest(asked, tools=(WEATHER, CLOCK)), [target(vendor, model)]
    )
    as_stored = json.loads(json.dumps(completion.vendor_data, sort_keys=True))
    after = (
        replace(completion.as_message(), vendor_data=as_stored),
        Message("tool", "rain", tool_call_id="toolu_01A"),
        Message("tool", "noon", tool_call_id="toolu_01B"),
        Message("user", "And now?"),
    )

    async def thinks(messages: tuple[Message, ...], *tools: Tool) -> bool:
        body = await sent(gateway, vendor, CompletionRequest(messages, tools=tools), model)
        called = [turn for turn in body["messages"] if turn["role"] == "assistant"][-1]
        kinds = [block["type"] for block in called["content"]]
        assert kinds[-3:] == ["text", "tool_use", "tool_use"]
        return "thinking" in kinds

    assert await thinks((*asked, *after), WEATHER, CLOCK)
    assert await thinks((*asked, *after), CLOCK) is kept
    assert await thinks((*asked[1:], *after), WEATHER, CLOCK) is kept
    assert await thinks((asked[0], asked[3], *after), WEATHER, CLOCK) is kept


async def test_ids_of_another_provider_become_unique(gateway: Gateway, vendor: FakeVendor) -> None:
    def step(call_id: str) -> tuple[Message, Message]:
        call = ToolCall(call_id, "clock", {})
        return Message("assistant", "", (call,)), Message("tool", "noon", tool_call_id=call_id)

    request = CompletionRequest(
        (*ASKED.messages, *step("call_1"), *step("call_1"), *step("c:1")), tools=(CLOCK,)
    )
    turns = (await sent(gateway, vendor, request))["messages"][1:]
    called = [turn["content"][0]["id"] for turn in turns[::2]]
    assert [turn["content"][0]["tool_use_id"] for turn in turns[1::2]] == called
    assert called[0] == "call_1"
    assert len(set(called)) == 3
    assert ":" not in "".join(called)
