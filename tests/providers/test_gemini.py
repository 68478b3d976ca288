"""generateContent and streamGenerateContent of Gemini."""

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
    with pytest.raises(errors.BadRequestError, match="is no name of a model"):
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


WHOLE = Answer.of_events(gemini.TOOL_STREAM, done=None)


@pytest.mark.parametrize("how", ["cut_after", "ended_after"])
async def test_a_stream_that_breaks_off_anywhere(
    gateway: Gateway, vendor: FakeVendor, how: str
) -> None:
    # The very last byte is the end of the line that ends the last event.
    for size in (*range(0, len(WHOLE.body) - 1, 61), len(WHOLE.body) - 1):
        vendor.answers(getattr(WHOLE, how)(size))
        with pytest.raises(errors.StreamCutOffError):
            await collected(gateway.stream(ASKED, [target(vendor)]))


INVALID = "INVALID_ARGUMENT"
TOO_LONG = "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576)."


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (gemini.error(400, INVALID, f"API key not valid: {KEY}.", gemini.BAD_KEY),
         errors.AuthenticationError, "refused (API key not valid: [redacted].)"),
        (gemini.error(400, INVALID, "API key expired. Please renew."), errors.AuthenticationError,
         "expired"),
        (gemini.error(403, "PERMISSION_DENIED", "was reported as leaked"),
         errors.AuthenticationError, "leaked"),
        (gemini.error(400, INVALID, "Invalid JSON payload received."), errors.BadRequestError,
         "payload"),
        (gemini.error(404, "NOT_FOUND", "models/x is not found"), errors.BadRequestError, "found"),
        (gemini.error(400, INVALID, TOO_LONG), errors.ContextTooLongError, "1200293"),
        (Answer.of_json([gemini.error_body(400, INVALID, TOO_LONG)], 400),
         errors.ContextTooLongError, "1200293"),
        (gemini.error(429, "RESOURCE_EXHAUSTED", gemini.OVER_QUOTA,
                      gemini.quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
                      gemini.HELP, gemini.RETRY_INFO), errors.QuotaExceededError, "quota"),
        (gemini.error(429, "RESOURCE_EXHAUSTED", gemini.OVER_QUOTA, gemini.HELP),
         errors.QuotaExceededError, "quota"),
        (gemini.error(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later."),
         errors.RateLimitedError, "try again"),
        (gemini.error(500, "INTERNAL", "An internal error"), errors.OverloadedError, "internal"),
        (gemini.error(503, "UNAVAILABLE", "The model is overloaded."), errors.OverloadedError,
         "overloaded"),
        (gemini.error(504, "DEADLINE_EXCEEDED", "too slow"), errors.ProviderTimeoutError, "slow"),
        (Answer([b"<html>"], 502), errors.OverloadedError, "overloaded"),
        (Answer.of_json(gemini.error_body(503, "UNAVAILABLE", "later")), errors.OverloadedError,
         "later"),
        (Answer.of_json(gemini.BLOCKED), errors.RefusedError, "PROHIBITED_CONTENT"),
        (Answer.of_json(gemini.answer(finish="SAFETY")), errors.RefusedError, "SAFETY"),
        (Answer.of_json(gemini.answer(finish="RECITATION", finishMessage="from a book")),
         errors.RefusedError, "RECITATION: from a book"),
        (Answer.of_json(gemini.answer(finish="MALFORMED_FUNCTION_CALL", finishMessage="f(")),
         errors.MalformedAnswerError, "MALFORMED_FUNCTION_CALL: f("),
        (Answer.of_json(gemini.answer(finish="OTHER")), errors.MalformedAnswerError, "OTHER"),
        (Answer.of_json(gemini.answer(finish=None)), errors.MalformedAnswerError, "no candidate"),
        (Answer.of_json({"candidates": "none"}), errors.MalformedAnswerError, "no candidate"),
        (Answer.of_json(gemini.answer(gemini.call("clock", []))), errors.MalformedAnswerError,
         "object of arguments"),
        (Answer.of_json(gemini.answer({"functionCall": "f"})), errors.MalformedAnswerError,
         "object of arguments"),
        (Answer.of_json(gemini.answer(gemini.call("", {}))), errors.MalformedAnswerError,
         "no name"),
    ],
)  # fmt: skip
async def test_errors(
    gateway: Gateway,
    vendor: FakeVendor,
    answer: Answer,
    error: type[errors.ProviderError],
    words: str,
) -> None:
    with pytest.raises(errors.ProviderError) as caught:
        await completed(gateway, vendor, answer)
    assert type(caught.value) is error
    assert words in str(caught.value)
    assert str(caught.value).startswith("provider g: ")
    assert KEY not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize(
    ("details", "seconds"),
    [
        ((gemini.HELP, gemini.RETRY_INFO), 34.074824224),
        ((gemini.HELP,), None),
        (({**gemini.RETRY_INFO, "retryDelay": 5},), None),
    ],
)
async def test_a_rate_limit_says_when_to_come_back(
    gateway: Gateway, vendor: FakeVendor, details: tuple[dict[str, Any], ...], seconds: float | None
) -> None:
    quota = gemini.quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
    answer = gemini.error(429, "RESOURCE_EXHAUSTED", "Too fast", quota, *details)
    with pytest.raises(errors.RateLimitedError) as caught:
        await completed(gateway, vendor, answer)
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (gemini.error_body(503, "UNAVAILABLE", "overloaded"), errors.OverloadedError),
        (gemini.error_body(429, "RESOURCE_EXHAUSTED", "slow"), errors.RateLimitedError),
        (gemini.error_body(400, INVALID, TOO_LONG), errors.ContextTooLongError),
        (gemini.error_body(400, INVALID, f"no {KEY}"), errors.BadRequestError),
        ({"error": {"message": "unheard of"}}, errors.OverloadedError),
        (gemini.BLOCKED, errors.RefusedError),
        (gemini.answer(finish="SAFETY"), errors.RefusedError),
        (gemini.answer(finish="MALFORMED_RESPONSE"), errors.MalformedAnswerError),
        ([], errors.MalformedAnswerError),
    ],
)
async def test_an_error_within_a_stream(
    gateway: Gateway, vendor: FakeVendor, event: Any, error: type[errors.ProviderError]
) -> None:
    vendor.answers(Answer.of_events([gemini.STREAM[0], event], done=None))
    with pytest.raises(errors.ProviderError) as caught:
        await collected(gateway.stream(ASKED, [target(vendor)]))
    assert type(caught.value) is error
    assert KEY not in str(caught.value)


async def test_without_usage_it_is_estimated(gateway: Gateway, vendor: FakeVendor) -> None:
    body = gemini.answer()
    del body["usageMetadata"]
    assert (await completed(gateway, vendor, body)).usage == Usage(4, 3, estimated=True)
