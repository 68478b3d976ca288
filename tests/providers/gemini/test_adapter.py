"""generateContent and streamGenerateContent of Gemini."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from harness.vendors import Answer, FakeVendor, gemini
from harness.vendors.collecting import collected
from promptops_providers import errors
from promptops_providers.gateway import Credentials, Target
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import (
    Completion,
    CompletionRequest,
    Message,
    TextDelta,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
)

KEY = "AIzaSyVerySecretKey-0123456789"
ASKED = CompletionRequest.of_text("Greet the world")
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("weather", "The weather of a city", CITY)
CLOCK = Tool("clock", "The time", {"type": "object", "properties": {}})


def target(vendor: FakeVendor, model: str = "gemini-3.8-flash", base: str = "") -> Target:
    return Target("g", model, kind="gemini", credentials=Credentials(KEY, vendor.url + base))


async def completed(gateway: Gateway, vendor: FakeVendor, answer: Any) -> Completion:
    vendor.answers(answer if isinstance(answer, Answer) else Answer.of_json(answer))
    return await gateway.complete(ASKED, [target(vendor)])


async def sent(gateway: Gateway, vendor: FakeVendor, request: CompletionRequest) -> Any:
    vendor.answers(Answer.of_json(gemini.answer()))
    await gateway.complete(request, [target(vendor)])
    return vendor.seen.json


async def test_an_answer_with_all_that_gemini_reports(gateway: Gateway, vendor: FakeVendor) -> None:
    assert await completed(gateway, vendor, gemini.answer()) == Completion(
        text="Grüße, 世界!",
        model="gemini-3.8-flash",
        usage=Usage(2121, 102, estimated=False, cached_tokens=2000),
        stop_reason="end",
        provider="g",
    )
    assert vendor.seen.path == "/v1beta/models/gemini-3.8-flash:generateContent"
    assert vendor.seen.headers["x-goog-api-key"] == KEY
    assert "authorization" not in vendor.seen.headers
    assert vendor.seen.json == {
        "contents": [{"role": "user", "parts": [{"text": "Greet the world"}]}]
    }


@pytest.mark.parametrize(
    ("base", "model", "path"),
    [
        ("", "", "/v1beta/models/gemini-3.8-flash"),
        ("/v1beta", "m", "/v1beta/models/m"),
        ("/v1/", "m", "/v1/models/m"),
        ("/proxy", "models/m", "/proxy/v1beta/models/m"),
        ("?key=x", "tunedModels/m-1", "/v1beta/tunedModels/m-1"),
    ],
)
async def test_where_a_stream_is_asked_for(
    gateway: Gateway, vendor: FakeVendor, base: str, model: str, path: str
) -> None:
    vendor.answers(Answer.of_events(gemini.STREAM, done=None))
    await collected(gateway.stream(ASKED, [target(vendor, model, base)]))
    assert vendor.seen.path == f"{path}:streamGenerateContent?alt=sse"


@pytest.mark.parametrize("model", ["a/b", "../files", "m?key=x", "m:countTokens", "m#", "m m"])
async def test_what_is_no_name_of_a_model(gateway: Gateway, vendor: FakeVendor, model: str) -> None:
    with pytest.raises(errors.BadRequestError, match="is not the name of a model"):
        await gateway.complete(ASKED, [target(vendor, model)])
    assert vendor.requests == []


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
            "thinkingConfig": {"thinkingLevel": "low"},
            "safetySettings": [],
            "topK": None,
        },
        tools=(WEATHER,),
        output_schema=CITY,
    )
    assert await sent(gateway, vendor, request) == {
        "systemInstruction": {"parts": [{"text": "Be brief"}, {"text": "In French"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hello"}, {"text": "Are you there?"}]},
            {"role": "model", "parts": [{"text": "Yes"}]},
            {"role": "user", "parts": [{"text": "The weather?"}]},
        ],
        "generationConfig": {
            "temperature": 0.5,
            "maxOutputTokens": 9,
            "topP": 1,
            "stopSequences": ["x"],
            "seed": 4,
            "thinkingConfig": {"thinkingLevel": "low"},
            "responseMimeType": "application/json",
            "responseJsonSchema": CITY,
        },
        "safetySettings": [],
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "weather",
                        "description": "The weather of a city",
                        "parametersJsonSchema": CITY,
                    }
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    }


async def test_more_than_one_stop_text(gateway: Gateway, vendor: FakeVendor) -> None:
    request = CompletionRequest(ASKED.messages, parameters={"stop": ["a", "b"]})
    body = await sent(gateway, vendor, request)
    assert body["generationConfig"] == {"stopSequences": ["a", "b"]}


@pytest.mark.parametrize(("choice", "mode"), [("none", "NONE"), ("required", "ANY")])
async def test_the_choice_of_tools(
    gateway: Gateway, vendor: FakeVendor, choice: ToolChoice, mode: str
) -> None:
    request = CompletionRequest(ASKED.messages, tools=(CLOCK,), tool_choice=choice)
    body = await sent(gateway, vendor, request)
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": mode}}


async def test_tool_calls_and_their_results(gateway: Gateway, vendor: FakeVendor) -> None:
    asked = (Message("user", "The weather?"),)
    vendor.answers(Answer.of_json(gemini.answer(*gemini.PARTS)), Answer.of_json(gemini.answer()))
    completion = await gateway.complete(
        CompletionRequest(asked, tools=(WEATHER, CLOCK)), [target(vendor)]
    )
    assert (completion.text, completion.stop_reason) == ("I look.", "tool_calls")
    assert completion.tool_calls == (
        ToolCall("xk3", "weather", {"city": "Köln"}),
        ToolCall("xk4", "clock", {}),
    )
    answered = (
        *asked,
        completion.as_message(),
        Message("tool", "rain", tool_call_id="xk3"),
        Message("tool", "noon", tool_call_id="xk4"),
        Message("user", "And now?"),
    )
    await gateway.complete(CompletionRequest(answered), [target(vendor)])
    _, called, results, question = vendor.seen.json["contents"]
    assert called == {"role": "model", "parts": gemini.PARTS}
    assert results == {
        "role": "user",
        "parts": [
            {
                "functionResponse": {
                    "id": call_id,
                    "name": name,
                    "response": {"output": output},
                }
            }
            for call_id, name, output in [("xk3", "weather", "rain"), ("xk4", "clock", "noon")]
        ],
    }
    assert question == {"role": "user", "parts": [{"text": "And now?"}]}


async def test_older_models_give_calls_no_id_and_take_none(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    parts = [gemini.call("weather", {"city": "Köln"}), gemini.call("clock", {})]
    completion = await completed(gateway, vendor, gemini.answer(*parts))
    assert [call.id for call in completion.tool_calls] == ["call_1", "call_2"]
    step = (
        completion.as_message(),
        Message("tool", "noon", tool_call_id="call_2"),
        Message("tool", "rain", tool_call_id="call_1"),
    )
    body = await sent(gateway, vendor, CompletionRequest((*ASKED.messages, *step)))
    assert body["contents"][1]["parts"] == parts
    results = [part["functionResponse"] for part in body["contents"][2]["parts"]]
    assert [result["name"] for result in results] == ["clock", "weather"]
    assert not any("id" in result for result in results)


async def test_calls_of_another_provider(gateway: Gateway, vendor: FakeVendor) -> None:
    calls = (ToolCall("c1", "weather", {"city": "Köln"}), ToolCall("c2", "clock", {}))
    step = (
        Message("assistant", "", calls, vendor_data={"claude": {"content": [{"type": "text"}]}}),
        Message("tool", "rain", tool_call_id="c1"),
        Message("tool", "noon", tool_call_id="c2"),
    )
    body = await sent(gateway, vendor, CompletionRequest((*ASKED.messages, *step)))
    called, results = body["contents"][1:]
    assert called["parts"] == [
        {
            **gemini.call("weather", {"city": "Köln"}, id="c1"),
            "thoughtSignature": "skip_thought_signature_validator",
        },
        gemini.call("clock", {}, id="c2"),
    ]
    assert [part["functionResponse"]["id"] for part in results["parts"]] == ["c1", "c2"]


async def test_a_signature_goes_back_with_its_very_part(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    signed = {"text": "", "thoughtSignature": gemini.SIGNATURE}
    chunks = [
        gemini.answer({"text": "a"}, finish=None),
        gemini.answer({"text": "b"}, finish=None),
        gemini.answer(signed),
    ]
    vendor.answers(Answer.of_events(chunks, done=None))
    _, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert completion.text == "ab"
    messages = (*ASKED.messages, completion.as_message(), Message("user", "more"))
    body = await sent(gateway, vendor, CompletionRequest(messages))
    assert body["contents"][1]["parts"] == [{"text": "ab"}, signed]


async def test_the_limit_is_a_stop_reason(gateway: Gateway, vendor: FakeVendor) -> None:
    body = gemini.answer({"text": "Gr"}, finish="MAX_TOKENS")
    assert (await completed(gateway, vendor, body)).stop_reason == "length"


async def test_an_answer_may_be_empty(gateway: Gateway, vendor: FakeVendor) -> None:
    body = gemini.answer()
    body["candidates"][0]["content"] = {"role": "model"}
    assert (await completed(gateway, vendor, body)).text == ""


async def test_a_stream_is_the_same_answer(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_events(gemini.STREAM, done=None))
    pieces, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert pieces == ["Grüße, ", "世界!"]
    assert completion == await completed(gateway, vendor, gemini.answer())
    assert vendor.connections == 1


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
async def test_streamed_tool_calls_in_any_portions(
    gateway: Gateway, vendor: FakeVendor, size: int
) -> None:
    vendor.answers(Answer.of_events(gemini.TOOL_STREAM, done=None).in_portions_of(size))
    pieces, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert pieces == ["I ", "look."]
    assert completion == await completed(gateway, vendor, gemini.answer(*gemini.PARTS))


async def test_a_piece_is_passed_on_before_the_next(gateway: Gateway, vendor: FakeVendor) -> None:
    answer, hold = Answer.of_events(gemini.STREAM, done=None).held_after(1)
    vendor.answers(answer)
    async with aclosing(gateway.stream(ASKED, [target(vendor)])) as events:
        assert await anext(events) == TextDelta("Grüße, ")
        hold.release()
        assert await anext(events) == TextDelta("世界!")


async def test_giving_up_a_stream_hangs_up(gateway: Gateway, vendor: FakeVendor) -> None:
    answer, _ = Answer.of_events(gemini.STREAM, done=None).held_after(1)
    vendor.answers(answer)
    async with aclosing(gateway.stream(ASKED, [target(vendor)])) as events:
        await anext(events)
    await vendor.hung_up.wait()


async def test_cancelling_hangs_up(gateway: Gateway, vendor: FakeVendor) -> None:
    answer, hold = Answer.of_events(gemini.STREAM, done=None).held_after(1)
    vendor.answers(answer)
    reading = asyncio.create_task(collected(gateway.stream(ASKED, [target(vendor)])))
    await hold.reached.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await vendor.hung_up.wait()


WHOLE = Answer.of_events(gemini.TOOL_STREAM, done=None)


@pytest.mark.parametrize("how", ["cut_after", "ended_after"])
async def test_a_stream_that_breaks_off_anywhere(
    gateway: Gateway, vendor: FakeVendor, how: str
) -> None:
    # The last two bytes are the line ends after the last event, which may be missing.
    for size in (*range(0, len(WHOLE.body) - 3, 61), len(WHOLE.body) - 3):
        vendor.answers(getattr(WHOLE, how)(size))
        with pytest.raises(errors.StreamCutOffError):
            await collected(gateway.stream(ASKED, [target(vendor)]))


async def test_without_usage_it_is_estimated(gateway: Gateway, vendor: FakeVendor) -> None:
    body = gemini.answer()
    del body["usageMetadata"]
    assert (await completed(gateway, vendor, body)).usage == Usage(4, 3, estimated=True)
