"""Tool calls as vendors really send them: what can't be used is told, and ends nothing."""

from typing import Any

import pytest

from harness.vendors import Answer, FakeVendor, claude, gemini, openai
from harness.vendors.collecting import collected
from promptops_providers.gateway import Credentials, Target
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import Completion, CompletionRequest, ToolCall

ASKED = CompletionRequest.of_text("Will it rain?")


def target(vendor: FakeVendor, kind: str) -> Target:
    return Target(kind, "m-1", credentials=Credentials("sk-very-secret-123456", vendor.url))


async def completed(
    gateway: Gateway, vendor: FakeVendor, body: Any, kind: str = "openai-compatible"
) -> Completion:
    vendor.answers(Answer.of_json(body))
    return await gateway.complete(ASKED, [target(vendor, kind)])


def chat(*calls: dict[str, Any], finish: str = "tool_calls") -> dict[str, Any]:
    return openai.chat(None, finish=finish, tool_calls=list(calls))


@pytest.mark.parametrize(
    ("sent", "ids"),
    [
        (["call_2", ""], ["call_2", "call_2_2"]),
        (["", "call_1"], ["call_1_2", "call_1"]),
        (["a", "a", ""], ["a", "call_2", "call_3"]),
        (["call_2_2", "call_2_2", "call_2"], ["call_2_2", "call_2_3", "call_2"]),
    ],
)
async def test_made_up_ids_collide_with_none(
    gateway: Gateway, vendor: FakeVendor, sent: list[str], ids: list[str]
) -> None:
    calls = [openai.chat_call(call_id, f"tool{place}", "{}") for place, call_id in enumerate(sent)]
    completion = await completed(gateway, vendor, chat(*calls))
    assert [call.id for call in completion.tool_calls] == ids
    assert [call.name for call in completion.tool_calls] == [f"tool{n}" for n in range(len(sent))]


def fragment(arguments: str, call_id: str = "", name: str = "") -> dict[str, Any]:
    begun = {"id": call_id} if call_id else {}
    return {"index": 0, **begun, "function": {"name": name, "arguments": arguments}}


async def test_parallel_calls_all_with_index_0(gateway: Gateway, vendor: FakeVendor) -> None:
    fragments = [
        fragment("", "a", "weather"),
        fragment('{"city":'),
        fragment("", "b", "clock"),
        fragment('{"zone":'),
        # A server may repeat the id, and the name with it.
        fragment('"Köln"}', "a", "weather"),
        fragment('"CET"}', "b"),
    ]
    chunks = [openai.chat_chunk({"tool_calls": [fragment]}) for fragment in fragments]
    vendor.answers(Answer.of_events([*chunks, openai.chat_chunk({}, "tool_calls")]))
    _, completion = await collected(gateway.stream(ASKED, [target(vendor, "openai-compatible")]))
    weather = ToolCall("a", "weather", {"city": "Köln"})
    assert completion.tool_calls == (weather, ToolCall("b", "clock", {"zone": "CET"}))


async def test_whole_calls_with_the_same_index_and_id(gateway: Gateway, vendor: FakeVendor) -> None:
    body = chat(fragment("{}", "a", "weather"), fragment("{}", "a", "clock"))
    completion = await completed(gateway, vendor, body)
    assert [call.name for call in completion.tool_calls] == ["weather", "clock"]


@pytest.mark.parametrize("arguments", ["null", " null\n", "", None, "{}"])
async def test_no_arguments_are_an_empty_object(
    gateway: Gateway, vendor: FakeVendor, arguments: Any
) -> None:
    bodies = {
        "openai-compatible": chat(openai.chat_call("a", "clock", arguments)),
        "ollama": ollama_calls({"name": "clock", "arguments": arguments}),
        "gemini": gemini.answer({"functionCall": {"id": "a", "name": "clock", "args": arguments}}),
    }
    for kind, body in bodies.items():
        (call,) = (await completed(gateway, vendor, body, kind)).tool_calls
        assert (call.arguments, call.problem) == ({}, ""), kind


def ollama_calls(*functions: dict[str, Any]) -> dict[str, Any]:
    calls = [{"function": function} for function in functions]
    message = {"role": "assistant", "content": "", "tool_calls": calls}
    return {"model": "m", "message": message, "done": True, "done_reason": "stop"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ('{"city', "are not JSON"),
        ("[" * 100_000, "are not JSON"),
        ("[1]", "are a JSON list"),
        ("7", "are one JSON value"),
    ],
)
@pytest.mark.parametrize("finish", ["tool_calls", "length"])
async def test_unusable_arguments_are_told_and_the_calls_beside_stay(
    gateway: Gateway, vendor: FakeVendor, arguments: str, problem: str, finish: str
) -> None:
    beside = openai.chat_call("b", "clock", '{"zone": "CET"}')
    bad = openai.chat_call("a", "weather", arguments)
    first, last = (await completed(gateway, vendor, chat(beside, bad, finish=finish))).tool_calls
    assert first == ToolCall("b", "clock", {"zone": "CET"})
    assert (last.id, last.name, last.arguments) == ("a", "weather", {})
    assert (problem if finish == "tool_calls" else "its limit of tokens") in last.problem


async def test_the_limit_before_the_first_character_of_arguments(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    body = chat(
        openai.chat_call("a", "clock", ""), openai.chat_call("b", "weather", ""), finish="length"
    )
    first, last = (await completed(gateway, vendor, body)).tool_calls
    assert first.problem == ""
    assert "its limit of tokens" in last.problem


@pytest.mark.parametrize("arguments", [[1], 7, "[]"])
async def test_other_vendors_arguments_that_are_no_object(
    gateway: Gateway, vendor: FakeVendor, arguments: Any
) -> None:
    part = {"functionCall": {"id": "a", "name": "weather", "args": arguments}}
    block = {"type": "tool_use", "id": "a", "name": "weather", "input": arguments}
    bodies = {
        "gemini": gemini.answer(part),
        "claude": claude.message(block, stop="tool_use"),
        "ollama": ollama_calls({"name": "weather", "arguments": arguments}),
    }
    for kind, body in bodies.items():
        completion = await completed(gateway, vendor, body, kind)
        (call,) = completion.tool_calls
        assert (call.name, call.arguments) == ("weather", {}), kind
        assert "send a JSON object" in call.problem
        # What is sent back with the turn can be read by the vendor.
        kept = completion.vendor_data.get("gemini", {}).get("parts", [])
        assert [part["functionCall"]["args"] for part in kept] == [{}] * len(kept)
