"""Servers that speak Chat Completions each in their own way."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import pytest_asyncio

from harness.vendors import Answer, FakeVendor, claude, gemini, ollama, openai
from harness.vendors.collecting import collected
from promptops_providers import errors
from promptops_providers.adaptation.compatibility import Compatibility, usual_at
from promptops_providers.gateway import Credentials, Target
from promptops_providers.openai.chat import ChatCompletions
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import Completion, CompletionRequest, Message, Tool, ToolCall
from promptops_providers.transport.address_policy import AddressPolicy
from promptops_providers.transport.clients import Timeouts, guarded_client
from promptops_providers.transport.vendor_http import VendorHttp

ASKED = CompletionRequest.of_text("Greet the world")
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = Tool("weather", "The weather", SCHEMA)
LONG_ID = "call_unLAR8MvFNptuiZK6K6HCy5k"
CALLED = replace(
    ASKED,
    messages=(
        *ASKED.messages,
        Message("assistant", "", (ToolCall(LONG_ID, "weather", {"city": "Köln"}),)),
        Message("tool", "rain", tool_call_id=LONG_ID),
    ),
    tools=(TOOL,),
)
AGAIN = "the provider refused the request; it was asked again "


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[Gateway]:
    """One that has learned nothing yet."""
    async with Gateway(AddressPolicy(allow_loopback=True)) as opened:
        yield opened


def target(
    vendor: FakeVendor, kind: str = "openai-compatible", model: str = "m-1", **switches: Any
) -> Target:
    credentials = Credentials("sk-very-secret-123456", vendor.url)
    return Target("llm", model, kind, credentials, compatibility=Compatibility(**switches))


async def ask(
    gateway: Gateway, request: CompletionRequest, to: Target, *, streams: bool = False
) -> Completion:
    if not streams:
        return await gateway.complete(request, [to])
    _, completion = await collected(gateway.stream(request, [to]))
    return completion


def chat(*, streams: bool = False) -> Answer:
    return Answer.of_events(openai.CHAT_STREAM) if streams else Answer.of_json(openai.chat())


def refusal(message: str, status: int = 400, **more: Any) -> Answer:
    return Answer.of_json({"error": {"message": message, "type": "x", **more}}, status)


def system_text(body: Any) -> str:
    return "\n".join(
        turn["content"] for turn in body["messages"] if turn["role"] in ("system", "developer")
    )


def in_words(body: Any) -> bool:
    return '"city"' in system_text(body) and "JSON" in system_text(body)


DEVELOPED = replace(ASKED, messages=(Message("developer", "Be brief"), *ASKED.messages))
LIMITED = replace(ASKED, parameters={"max_tokens": 9})
SHAPED = replace(ASKED, output_schema=SCHEMA)
SHAPED_WITH_TOOLS = replace(SHAPED, tools=(TOOL,))


async def test_each_switch_has_its_effect(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(chat(streams=True))
    await ask(gateway, ASKED, target(vendor, stream_options=False), streams=True)
    assert "stream_options" not in vendor.seen.json
    vendor.answers(chat())
    await ask(gateway, LIMITED, target(vendor, limit_parameter="max_completion_tokens"))
    assert vendor.seen.json["max_completion_tokens"] == 9
    await ask(gateway, LIMITED, target(vendor, "openai", limit_parameter="max_tokens"))
    assert vendor.seen.json["max_tokens"] == 9
    for developer_role, role in ((True, "developer"), (False, "system")):
        await ask(gateway, DEVELOPED, target(vendor, developer_role=developer_role))
        assert vendor.seen.json["messages"][0]["role"] == role
    await ask(gateway, SHAPED, target(vendor, structured_output="json_object"))
    assert vendor.seen.json["response_format"] == {"type": "json_object"}
    assert in_words(vendor.seen.json)
    await ask(gateway, SHAPED, target(vendor, structured_output="instruction"))
    assert "response_format" not in vendor.seen.json
    assert in_words(vendor.seen.json)
    await ask(gateway, CALLED, target(vendor, tool_call_id_length=9))
    call, result = vendor.seen.json["messages"][1:]
    sent = call["tool_calls"][0]["id"]
    assert (len(sent), sent.isalnum(), result["tool_call_id"]) == (9, True, sent)


async def test_an_id_that_fits_stays(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(chat())
    messages = (
        *ASKED.messages,
        Message("assistant", "", (ToolCall("D681PevKs", "weather", {}),)),
        Message("tool", "rain", tool_call_id="D681PevKs"),
    )
    await ask(gateway, replace(ASKED, messages=messages), target(vendor, tool_call_id_length=9))
    assert vendor.seen.json["messages"][2]["tool_call_id"] == "D681PevKs"


async def test_the_schema_in_words_joins_the_system_message(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    """Templates of many models want one system message, and want it first."""
    vendor.answers(chat())
    request = replace(SHAPED, messages=(Message("system", "Be brief"), *ASKED.messages))
    await ask(gateway, request, target(vendor, structured_output="instruction"))
    roles = [turn["role"] for turn in vendor.seen.json["messages"]]
    assert roles == ["system", "user"]
    assert vendor.seen.json["messages"][0]["content"].startswith("Be brief\n\n")
    assert in_words(vendor.seen.json)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("https://api.openai.com/v1", Compatibility(limit_parameter="max_completion_tokens",
                                                    developer_role=True)),
        ("https://my.openai.azure.com/openai/v1",
         Compatibility(limit_parameter="max_completion_tokens", developer_role=True)),
        ("https://api.mistral.ai/v1", Compatibility(stream_options=False, tool_call_id_length=9)),
        ("https://api.deepseek.com", Compatibility(structured_output="json_object")),
        ("https://api.deepseek.com.example.org", Compatibility()),
        ("https://notapi.mistral.ai", Compatibility()),
        ("http://localhost:8000", Compatibility()),
        ("http://[::1", Compatibility()),
        ("", Compatibility()),
        (None, Compatibility()),
    ],
)  # fmt: skip
def test_what_is_usual_at_a_host(host: str | None, expected: Compatibility) -> None:
    assert usual_at(host) == expected


async def test_the_host_decides_where_the_connection_does_not(vendor: FakeVendor) -> None:
    """Mistral's host, whose requests go to the fake vendor."""
    vendor.answers(chat())

    async def at_the_vendor(request: httpx.Request) -> None:
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=vendor.port)

    credentials = Credentials("sk-1", "https://api.mistral.ai/v1")
    policy = AddressPolicy(allow_loopback=True)
    async with guarded_client(policy, Timeouts()) as client:
        client.event_hooks["request"].append(at_the_vendor)
        wire = VendorHttp("m", ChatCompletions.dialect, credentials, client)
        await ChatCompletions(wire).complete(CALLED)
        assert len(vendor.seen.json["messages"][2]["tool_call_id"]) == 9
        own = VendorHttp(
            "m", ChatCompletions.dialect, credentials, client, Compatibility(tool_call_id_length=12)
        )
        await ChatCompletions(own).complete(CALLED)
        assert len(vendor.seen.json["messages"][2]["tool_call_id"]) == 12


@pytest.mark.parametrize(
    ("kind", "request_", "answer", "change"),
    [
        ("openai-compatible", LIMITED,
         refusal("Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                 "'max_completion_tokens' instead.", param="max_tokens"),
         "with max_completion_tokens as the limit"),
        ("openai", LIMITED, refusal("Unknown field: max_completion_tokens"),
         "with max_tokens as the limit"),
        ("openai", DEVELOPED,
         refusal("messages[0].role: unknown variant `developer`, expected `system` or `user`"),
         "with the role system in place of developer"),
        ("openai", DEVELOPED,
         refusal("Unsupported value: 'messages[0].role' does not support 'developer' with this "
                 "model.", param="messages[0].role", code="unsupported_value"),
         "with the role system in place of developer"),
        ("openai", DEVELOPED, refusal("Unexpected message role: developer", 500),
         "with the role system in place of developer"),
        ("openai-compatible", SHAPED, refusal("This response_format type is unavailable now"),
         "in JSON mode, with the output schema in words"),
        ("openai-compatible", SHAPED,
         refusal("This model does not support response format `json_schema`.",
                 param="response_format"),
         "in JSON mode, with the output schema in words"),
        ("openai-compatible", SHAPED,
         Answer.of_json({"detail": [{"type": "extra_forbidden",
                                     "loc": ["body", "response_format"],
                                     "msg": "Extra inputs are not permitted"}]}, 422),
         "with the output schema in words"),
        ("openai-compatible", SHAPED_WITH_TOOLS,
         refusal("json mode cannot be combined with tool/function calling: response_format is not "
                 "allowed"),
         "with the output schema in words"),
        ("openai-compatible", CALLED,
         refusal(f"Tool call id was {LONG_ID} but must be a-z, A-Z, 0-9, with a length of 9."),
         "with ids of tool calls of 9 characters"),
        ("openai-compatible", CALLED,
         refusal(f"Tool call id was {LONG_ID} but must be a-z, A-Z, 0-9, with a length of 9.",
                 500),
         "with ids of tool calls of 9 characters"),
        ("openai-compatible", CALLED,
         refusal("Invalid 'messages[1].tool_calls[0].id': string too long. Expected a string with "
                 "maximum length 24, but got a string with length 29 instead.",
                 param="messages[1].tool_calls[0].id", code="string_above_max_length"),
         "with ids of tool calls of 24 characters"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("streams", [False, True])
async def test_a_server_that_refuses_is_asked_otherwise_and_remembered(
    gateway: Gateway,
    vendor: FakeVendor,
    kind: str,
    request_: CompletionRequest,
    answer: Answer,
    change: str,
    streams: bool,
) -> None:
    vendor.answers(answer, chat(streams=streams))
    completion = await ask(gateway, request_, target(vendor, kind), streams=streams)
    assert completion.notes == (AGAIN + change,)
    first, second = (seen.json for seen in vendor.requests)
    assert first != second
    await ask(gateway, request_, target(vendor, kind), streams=streams)
    assert len(vendor.requests) == 3
    assert vendor.seen.json == second


@pytest.mark.parametrize(
    "answer",
    [
        refusal("Unrecognized request argument supplied: stream_options"),
        refusal("Extra inputs are not permitted", 422, param="stream_options"),
        Answer.of_json({"message": {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra "
                                                "inputs are not permitted"}]}}, 422),
    ],
)  # fmt: skip
async def test_a_server_without_stream_options(
    gateway: Gateway, vendor: FakeVendor, answer: Answer
) -> None:
    vendor.answers(answer, chat(streams=True))
    completion = await ask(gateway, ASKED, target(vendor), streams=True)
    assert completion.notes == (f"{AGAIN}without stream_options",)
    again = await ask(gateway, ASKED, target(vendor), streams=True)
    assert ("stream_options" in vendor.seen.json, again.notes) == (False, ())


async def test_json_mode_that_is_refused_becomes_words(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    refused = refusal(
        "'response_format.type' : value is not one of the allowed values; unsupported"
    )
    vendor.answers(refused, refused, refused, chat())
    with pytest.raises(errors.BadRequestError):
        await ask(gateway, SHAPED, target(vendor))
    completion = await ask(gateway, SHAPED, target(vendor))
    assert completion.notes[-1] == f"{AGAIN}with the output schema in words"
    assert "response_format" not in vendor.seen.json
    assert in_words(vendor.seen.json)
    again = await ask(gateway, SHAPED, target(vendor))
    assert again.notes == (
        "the output schema was given in words: the provider has refused it before",
    )


async def test_what_the_connection_sets_stays(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(refusal("Unknown parameter: max_tokens"), chat())
    with pytest.raises(errors.BadRequestError):
        await ask(gateway, LIMITED, target(vendor, limit_parameter="max_tokens"))
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("kind", "model", "answer", "field"),
    [
        ("gemini", "gemini-2.5-flash", gemini.answer({"text": "{}"}), "generationConfig"),
        ("gemini", "models/gemini-2.5-pro", gemini.answer({"text": "{}"}), "generationConfig"),
        ("ollama", "qwen3", ollama.last("{}"), "format"),
    ],
)
async def test_beside_tools_the_schema_goes_in_words(
    gateway: Gateway, vendor: FakeVendor, kind: str, model: str, answer: Any, field: str
) -> None:
    vendor.answers(Answer.of_json(answer))
    await ask(gateway, SHAPED_WITH_TOOLS, target(vendor, kind, model))
    body = vendor.seen.json
    assert "tools" in body
    assert field not in body
    assert "fits this JSON Schema" in str(body)
    await ask(gateway, SHAPED, target(vendor, kind, model))
    assert field in vendor.seen.json
    assert "fits this JSON Schema" not in str(vendor.seen.json)


async def test_newer_geminis_take_both(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_json(gemini.answer({"text": "{}"})))
    await ask(gateway, SHAPED_WITH_TOOLS, target(vendor, "gemini", "gemini-3.8-flash"))
    assert "responseJsonSchema" in vendor.seen.json["generationConfig"]


async def test_ollama_gets_the_schema_once_no_tool_may_be_called(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    vendor.answers(Answer.of_json(ollama.last("{}")))
    request = replace(SHAPED_WITH_TOOLS, tool_choice="none")
    await ask(gateway, request, target(vendor, "ollama"))
    assert vendor.seen.json["format"] == SCHEMA
    assert "tools" not in vendor.seen.json


@pytest.mark.parametrize(
    ("kind", "request_", "words", "good"),
    [
        ("gemini", SHAPED_WITH_TOOLS,
         "Function calling with a response mime type: 'application/json' is unsupported",
         gemini.answer({"text": "{}"})),
        ("ollama", SHAPED, "this model does not support structured output: format",
         ollama.last("{}")),
        ("claude", SHAPED, "output_config.format: Extra inputs are not permitted",
         claude.message()),
    ],
)  # fmt: skip
async def test_native_apis_that_refuse_a_schema_get_it_in_words(
    gateway: Gateway,
    vendor: FakeVendor,
    kind: str,
    request_: CompletionRequest,
    words: str,
    good: Any,
) -> None:
    vendor.answers(refusal(words), Answer.of_json(good))
    completion = await ask(gateway, request_, target(vendor, kind))
    assert completion.notes == (f"{AGAIN}with the output schema in words",)
    assert "fits this JSON Schema" in str(vendor.seen.json)
