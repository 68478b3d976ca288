"""What a model refuses is left out where that is known, and else after the vendor's error."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from harness.vendors import Answer, FakeVendor, claude, gemini, openai
from harness.vendors.collecting import collected
from promptops_providers import errors
from promptops_providers.adaptation import adapting
from promptops_providers.default_models import DEFAULT_MODELS
from promptops_providers.gateway import Credentials, Target
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import Completion, CompletionRequest, Message, Tool, ToolCall
from promptops_providers.transport.address_policy import AddressPolicy

ASKED = CompletionRequest.of_text("Greet the world")
PREFILLED = replace(ASKED, messages=(*ASKED.messages, Message("assistant", "Dear ")))
TOOL = Tool("weather", "The weather", {"type": "object", "properties": {}})
BEGINNING = "the last message, which begins the answer"


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[Gateway]:
    """One that has learned nothing yet."""
    async with Gateway(AddressPolicy(allow_loopback=True)) as opened:
        yield opened


def target(vendor: FakeVendor, kind: str = "openai-compatible", model: str = "m-1") -> Target:
    return Target("llm", model, kind, Credentials("sk-very-secret-123456", vendor.url))


def request_with(**parameters: Any) -> CompletionRequest:
    return replace(ASKED, parameters=parameters)


async def asked(
    gateway: Gateway, request: CompletionRequest, to: Target, *, streams: bool = False
) -> Completion:
    if not streams:
        return await gateway.complete(request, [to])
    _, completion = await collected(gateway.stream(request, [to]))
    return completion


def chat_answer(*, streams: bool = False) -> Answer:
    return Answer.of_events(openai.CHAT_STREAM) if streams else Answer.of_json(openai.chat())


def refusal(message: str, code: str = "unsupported_parameter", param: str | None = None) -> Answer:
    described = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return Answer.of_json({"error": described}, 400)


TEMPERATURE = refusal(
    "Unsupported value: 'temperature' does not support 0.5 with this model. Only the default (1) "
    "value is supported.",
    "unsupported_value",
    "temperature",
)


@pytest.mark.parametrize(
    ("kind", "model", "parameters", "left_out"),
    [
        ("openai", "", {"temperature": 0.5, "top_p": 0.9}, ["temperature", "top_p"]),
        ("openai", "o3-mini", {"temperature": 0.5}, ["temperature"]),
        ("openai", "gpt-5-mini-2025-08-07", {"top_p": 1}, ["top_p"]),
        ("openai", "gpt-6-sol", {"temperature": 0.5, "reasoning_effort": "none"}, []),
        ("openai", "gpt-5.1", {"temperature": 0.5}, []),
        ("openai", "gpt-5.1", {"temperature": 0.5, "reasoning_effort": "low"}, ["temperature"]),
        ("openai", "gpt-5-chat-latest", {"temperature": 0.5}, []),
        ("openai", "gpt-4.1", {"temperature": 0.5, "top_p": 1, "seed": 4}, []),
        ("claude", "", {"temperature": 0.5, "top_p": 1}, ["temperature", "top_p"]),
        ("claude", "claude-opus-4-7", {"top_k": 5}, ["top_k"]),
        ("claude", "claude-haiku-5-5-20261007", {"temperature": 1}, ["temperature"]),
        ("claude", "claude-sonnet-4-6", {"temperature": 0.5, "top_p": 1}, ["top_p"]),
        ("claude", "claude-sonnet-4-6", {"top_p": 1}, []),
        ("claude", "claude-sonnet-4-20250514", {"temperature": 0.5, "top_p": 1}, []),
        ("claude", "claude-3-7-sonnet-20250219", {"temperature": 0.5, "top_p": 1}, []),
        ("claude", "claude-sonnet-4-6", {"seed": 0}, ["seed"]),
        ("claude", "glm-5", {"temperature": 0.5, "top_p": 1}, []),
    ],
)
async def test_what_is_known_to_be_refused_is_never_sent(
    gateway: Gateway,
    vendor: FakeVendor,
    kind: str,
    model: str,
    parameters: Mapping[str, Any],
    left_out: list[str],
) -> None:
    vendor.answers(
        Answer.of_json(claude.message()) if kind == "claude" else chat_answer(),
    )
    completion = await gateway.complete(request_with(**parameters), [target(vendor, kind, model)])
    sent = vendor.seen.json
    kept = {name: value for name, value in parameters.items() if name not in left_out}
    assert {name: sent[name] for name in parameters if name in sent} == kept
    if left_out:
        names = " and ".join(left_out)
        model = model or DEFAULT_MODELS[kind]
        assert completion.notes == (f"left out {names}: {model} does not take it",)
    else:
        assert completion.notes == ()
    assert len(vendor.requests) == 1


async def test_a_prefill_is_left_out_where_claude_does_not_take_it(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    vendor.answers(Answer.of_json(claude.message()))
    completion = await gateway.complete(PREFILLED, [target(vendor, "claude", "")])
    assert [turn["role"] for turn in vendor.seen.json["messages"]] == ["user"]
    model = DEFAULT_MODELS["claude"]
    assert completion.notes == (f"left out {BEGINNING}: {model} does not take it",)
    older = await gateway.complete(PREFILLED, [target(vendor, "claude", "claude-sonnet-4-5")])
    assert [turn["role"] for turn in vendor.seen.json["messages"]] == ["user", "assistant"]
    assert older.notes == ()


async def test_an_answer_that_calls_tools_is_no_prefill(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    vendor.answers(Answer.of_json(claude.message()))
    calls = Message("assistant", "", (ToolCall("c1", "weather", {}),))
    result = Message("tool", "rain", tool_call_id="c1")
    request = replace(ASKED, messages=(*ASKED.messages, calls, result), tools=(TOOL,))
    completion = await gateway.complete(request, [target(vendor, "claude", "")])
    assert len(vendor.seen.json["messages"]) == 3
    assert completion.notes == ()


@pytest.mark.parametrize("streams", [False, True])
async def test_what_the_error_names_is_left_out_once_and_remembered(
    gateway: Gateway, vendor: FakeVendor, streams: bool
) -> None:
    vendor.answers(TEMPERATURE, chat_answer(streams=streams))
    request = request_with(temperature=0.5, top_p=0.9)
    first = await asked(gateway, request, target(vendor), streams=streams)
    assert first.text == "Grüße, 世界!"
    assert first.notes == (
        "the provider refused the request; it was asked again without temperature",
    )
    assert [("temperature" in seen.json, "top_p" in seen.json) for seen in vendor.requests] == [
        (True, True),
        (False, True),
    ]
    again = await asked(gateway, request, target(vendor), streams=streams)
    assert again.notes == ("left out temperature: the provider has refused it before",)
    assert len(vendor.requests) == 3
    plain = await asked(gateway, ASKED, target(vendor), streams=streams)
    assert plain.notes == ()


@pytest.mark.parametrize("streams", [False, True])
async def test_a_call_that_fails_says_what_was_left_out_of_it(
    gateway: Gateway, vendor: FakeVendor, streams: bool
) -> None:
    vendor.answers(Answer.of_json({"error": {"message": "busy"}}, 503))
    request = request_with(temperature=0.5)
    with pytest.raises(errors.OverloadedError) as caught:
        await asked(gateway, request, target(vendor, "openai", "o3"), streams=streams)
    assert caught.value.notes == ("left out temperature: o3 does not take it",)


async def test_another_model_is_not_concerned(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(TEMPERATURE, chat_answer())
    await gateway.complete(request_with(temperature=0.5), [target(vendor)])
    await gateway.complete(request_with(temperature=0.5), [target(vendor, model="m-2")])
    assert vendor.seen.json["temperature"] == 0.5


async def test_it_is_asked_again_once_only(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(TEMPERATURE)
    with pytest.raises(errors.BadRequestError, match="Unsupported value: 'temperature'") as caught:
        await gateway.complete(request_with(temperature=0.5), [target(vendor)])
    assert len(vendor.requests) == 2
    assert caught.value.notes == (
        "the provider refused the request; it was asked again without temperature",
    )
    with pytest.raises(errors.BadRequestError):
        await gateway.complete(request_with(temperature=0.5), [target(vendor)])
    assert len(vendor.requests) == 4, "what did not help is not remembered"


async def test_what_is_refused_next_is_left_out_by_the_next_call(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    top_p = refusal("Unsupported parameter: 'top_p'", param="top_p")
    vendor.answers(TEMPERATURE, top_p, top_p, chat_answer())
    request = request_with(temperature=0.5, top_p=0.9)
    with pytest.raises(errors.BadRequestError, match="top_p"):
        await gateway.complete(request, [target(vendor)])
    assert len(vendor.requests) == 2
    completion = await gateway.complete(request, [target(vendor)])
    assert len(vendor.requests) == 4
    assert completion.notes == (
        "left out temperature: the provider has refused it before",
        "the provider refused the request; it was asked again without top_p",
    )


async def test_what_two_calls_learn_at_once_is_kept(gateway: Gateway, vendor: FakeVendor) -> None:
    seed = refusal("Unsupported parameter: 'seed'", param="seed")
    held, hold = TEMPERATURE.held_after(0)
    vendor.answers(held, seed, chat_answer())
    request = request_with(temperature=0.5, seed=4)
    slow = asyncio.create_task(gateway.complete(request, [target(vendor)]))
    await hold.reached.wait()
    await gateway.complete(request, [target(vendor)])
    hold.release()
    await slow
    await gateway.complete(request, [target(vendor)])
    assert {"temperature", "seed"}.isdisjoint(vendor.seen.json)


EXTRA = {"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs", "input": 4}
GOOGLE = {
    "code": 400,
    "message": 'Invalid JSON payload received. Unknown name "top_k" at '
    "'generation_config': Cannot find field.",
    "status": "INVALID_ARGUMENT",
    "details": [
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": "generation_config", "description": "Unknown name"}],
        }
    ],
}


@pytest.mark.parametrize(
    ("parameters", "answer", "left_out"),
    [
        ({"seed": 4}, refusal("Unrecognized request argument supplied: seed"), {"seed"}),
        ({"seed": 4}, Answer.of_json({"detail": [EXTRA]}, 422), {"seed"}),
        ({"seed": 4}, Answer.of_json({"message": {"detail": [EXTRA]}}, 422), {"seed"}),
        ({"stop": "x"}, refusal("'stop' is not supported with this model"), {"stop"}),
        (
            {"temperature": 0.5, "top_p": 1},
            refusal("`temperature` and `top_p` cannot both be specified for this model", "x"),
            {"top_p"},
        ),
        (
            {"temperature": 0.5, "top_p": 1, "user": "u"},
            refusal("Unsupported parameters: 'temperature', 'top_p'"),
            {"temperature", "top_p"},
        ),
        ({"temperature": 0.5}, refusal("`temperature` is deprecated for this model."),
         {"temperature"}),
        ({"reasoning_effort": "low"}, refusal("Unknown parameter: 'reasoning.effort'"),
         {"reasoning_effort"}),
        ({"top_k": 5, "top_p": 1}, Answer.of_json({"error": GOOGLE}, 400), {"top_k"}),
        ({"presence_penalty": 1}, Answer.of_json({"error": "presence_penalty not supported"}, 500),
         {"presence_penalty"}),
    ],
)  # fmt: skip
async def test_the_words_of_many_vendors(
    gateway: Gateway,
    vendor: FakeVendor,
    parameters: Mapping[str, Any],
    answer: Answer,
    left_out: set[str],
) -> None:
    vendor.answers(answer, chat_answer())
    await gateway.complete(request_with(**parameters), [target(vendor)])
    first, second = (seen.json for seen in vendor.requests)
    assert first.keys() - second.keys() == left_out


@pytest.mark.parametrize(
    ("parameters", "answer"),
    [
        (
            {"temperature": 5},
            refusal("Invalid 'temperature': decimal above maximum value. Expected a value <= 2",
                    "decimal_above_max_value", "temperature"),
        ),
        ({"temperature": 5}, refusal("temperature must be between 0 and 2", "invalid_value")),
        ({}, TEMPERATURE),
        ({"max_tokens": 10**9}, refusal("max_tokens is too large: this model supports at most 4096",
                                        "invalid_value", "max_tokens")),
        ({"stop": "x"}, refusal("Please stop: unknown model m-1")),
        ({"temperature": 0.5}, Answer.of_json({"error": "temperature not supported"}, 401)),
        ({"temperature": 0.5}, Answer.of_json({"error": "temperature not supported"}, 503)),
    ],
)  # fmt: skip
async def test_other_errors_are_told_as_they_are(
    gateway: Gateway, vendor: FakeVendor, parameters: Mapping[str, Any], answer: Answer
) -> None:
    vendor.answers(answer)
    with pytest.raises(errors.ProviderError):
        await gateway.complete(request_with(**parameters), [target(vendor)])
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("claude", "This model does not support assistant message prefill. The conversation must "
                   "end with a user message."),
        ("openai-compatible", "Expected last role User or Tool for serving but got assistant"),
    ],
)  # fmt: skip
async def test_a_prefill_that_is_refused_is_left_out(
    gateway: Gateway, vendor: FakeVendor, kind: str, words: str
) -> None:
    good = Answer.of_json(claude.message()) if kind == "claude" else chat_answer()
    vendor.answers(refusal(words), good)
    first = await gateway.complete(PREFILLED, [target(vendor, kind)])
    assert [len(seen.json["messages"]) for seen in vendor.requests] == [2, 1]
    assert first.notes == (
        f"the provider refused the request; it was asked again without {BEGINNING}",
    )
    again = await gateway.complete(PREFILLED, [target(vendor, kind)])
    assert again.notes == (f"left out {BEGINNING}: the provider has refused it before",)


async def test_an_error_within_a_stream_that_has_not_begun(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    refusal = {"error": {"message": "Unsupported parameter: 'seed'", "param": "seed", "code": 400}}
    vendor.answers(Answer.of_events([refusal]), chat_answer(streams=True))
    completion = await asked(gateway, request_with(seed=4), target(vendor), streams=True)
    assert completion.text == "Grüße, 世界!"
    begun = Answer.of_events([openai.CHAT_STREAM[1], refusal])
    vendor.answers(begun, chat_answer(streams=True))
    with pytest.raises(errors.BadRequestError):
        await asked(gateway, request_with(seed=4), target(vendor, model="m-2"), streams=True)


async def test_geminis_names_are_recognized(gateway: Gateway, vendor: FakeVendor) -> None:
    refusal = {"code": 400, "message": "topK is not supported by this model", "status": "X"}
    vendor.answers(Answer.of_json({"error": refusal}, 400), Answer.of_json(gemini.answer()))
    completion = await gateway.complete(
        request_with(top_k=5), [target(vendor, "gemini", "gemini-9")]
    )
    assert completion.notes == (
        "the provider refused the request; it was asked again without top_k",
    )


async def test_what_is_remembered_is_bounded(
    gateway: Gateway, vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapting, "MAX_REMEMBERED", 2)
    for model in ("m-1", "m-2", "m-3"):
        vendor.answers(TEMPERATURE, chat_answer())
        await gateway.complete(request_with(temperature=0.5), [target(vendor, model=model)])
    vendor.requests.clear()
    for model in ("m-3", "m-2", "m-1"):
        await gateway.complete(request_with(temperature=0.5), [target(vendor, model=model)])
    assert ["temperature" in seen.json for seen in vendor.requests] == [False, False, True]
