"""How answers end: what is no success, in the words of each vendor, and what is empty."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from harness.vendors import Answer, FakeVendor, claude, fake_vendor, gemini, ollama, openai
from harness.vendors.collecting import collected
from promptops_providers import errors
from promptops_providers.gateway import Credentials, Target
from promptops_providers.observation import Unobserved
from promptops_providers.openai.responses import Responses
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import Completion, CompletionRequest, SpentCall, Usage
from promptops_providers.transport.address_policy import AddressPolicy
from promptops_providers.transport.clients import Timeouts, guarded_client
from promptops_providers.transport.vendor_http import VendorHttp

ASKED = CompletionRequest.of_text("Hi")
POLICY = AddressPolicy(allow_loopback=True)
LETTERS = "abcdefghijkl"
MALFORMED, OVERLOADED = errors.MalformedAnswerError, errors.OverloadedError
CUT_OFF, REFUSED = errors.StreamCutOffError, errors.RefusedError


def target(vendor: FakeVendor, kind: str = "openai-compatible", name: str = "llm") -> Target:
    return Target(name, "m", kind, Credentials("sk-very-secret", vendor.url))


def chat(finish: Any, text: str | None = "part", **choice: Any) -> dict[str, Any]:
    body = openai.chat(text, finish=finish)
    body["choices"][0] |= choice
    return body


def chat_stream(finish: Any, text: str = "", **choice: Any) -> list[Any]:
    last = openai.chat_chunk({}, finish)
    last["choices"][0] |= choice
    return [openai.chat_chunk({"content": text}), last, openai.chat_usage()]


def response(status: Any, **fields: Any) -> dict[str, Any]:
    return openai.response(openai.output_text("part"), status=status, **fields)


UNKNOWN = [
    (chat("error", error={"code": 502, "message": "Upstream down"}), OVERLOADED),
    (chat("error", error={"code": 429, "message": "Slow down"}), errors.RateLimitedError),
    (chat("error"), OVERLOADED),
    (chat("insufficient_system_resource"), OVERLOADED),
    (chat("network_error"), OVERLOADED),
    (chat("abort"), OVERLOADED),
    (chat("something_of_tomorrow"), MALFORMED),
    (chat(5), MALFORMED),
    (chat({"a": 1}), MALFORMED),
    (chat("sensitive"), REFUSED),
    (chat("SAFETY"), REFUSED),
    (chat("content_filter"), REFUSED),
    (chat("tool_calls", None), MALFORMED),
    ({"object": "error", "message": "Overloaded", "code": 503}, OVERLOADED),
    ({"object": "error", "message": "too many", "code": 429}, errors.RateLimitedError),
    ({"message": "Something broke"}, OVERLOADED),
    ({"error": "Something broke"}, OVERLOADED),
    ({"id": "x", "object": "chat.completion"}, MALFORMED),
    ({"choices": []}, MALFORMED),
]


@pytest.mark.parametrize(("body", "error"), UNKNOWN)
async def test_chat_completions(
    gateway: Gateway, vendor: FakeVendor, body: Any, error: type[errors.ProviderError]
) -> None:
    vendor.answers(Answer.of_json(body))
    with pytest.raises(errors.ProviderError) as caught:
        await gateway.complete(ASKED, [target(vendor)])
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("events", "error"),
    [
        *[
            (chat_stream(body["choices"][0]["finish_reason"]), error)
            for body, error in UNKNOWN[2:12]
            if "choices" in body
        ],
        ([], CUT_OFF),
        ([openai.chat_usage()], CUT_OFF),
        ([openai.chat_chunk({"role": "assistant", "content": ""})], CUT_OFF),
        ([{"object": "error", "message": "Overloaded", "code": 503}], OVERLOADED),
        ([("error", {"message": "Overloaded"})], OVERLOADED),
        ([{"type": "error", "message": "Overloaded"}], OVERLOADED),
        (chat_stream(None, error={"code": 429, "message": "x"}), errors.RateLimitedError),
    ],
)
async def test_streams_of_chat_completions(
    gateway: Gateway, vendor: FakeVendor, events: Any, error: type[errors.ProviderError]
) -> None:
    """With `[DONE]` at the end, which says nothing."""
    vendor.answers(Answer.of_events(events))
    with pytest.raises(errors.ProviderError) as caught:
        await collected(gateway.stream(ASKED, [target(vendor)]))
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("finish", "stop"),
    [
        ("stop", "end"),
        ("STOP", "end"),
        ("eos_token", "end"),
        ("end_turn", "end"),
        (None, "end"),
        ("stop_sequence", "stop_sequence"),
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("model_context_window_exceeded", "length"),
    ],
)
async def test_words_for_success(
    gateway: Gateway, vendor: FakeVendor, finish: Any, stop: str
) -> None:
    vendor.answers(Answer.of_json(chat(finish)), Answer.of_events(chat_stream(finish, "part")))
    whole = await gateway.complete(ASKED, [target(vendor)])
    _, streamed = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert (whole.stop_reason, streamed.stop_reason) == (stop, stop)


@pytest_asyncio.fixture
async def responses(vendor: FakeVendor) -> AsyncIterator[Responses]:
    dialect = replace(Responses.dialect, root=vendor.url)
    async with guarded_client(POLICY, Timeouts()) as client:
        yield Responses(VendorHttp("openai", dialect, Credentials("sk-very-secret"), client))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (response("failed"), OVERLOADED),
        (
            response("failed", error={"code": "rate_limit_exceeded", "message": "x"}),
            errors.RateLimitedError,
        ),
        (response("cancelled"), OVERLOADED),
        (response("in_progress"), MALFORMED),
        (response("queued"), MALFORMED),
        (response("incomplete"), MALFORMED),
        (response("incomplete", incomplete_details={"reason": "of_tomorrow"}), MALFORMED),
        (response("incomplete", incomplete_details={"reason": "content_filter"}), REFUSED),
        (response(7), MALFORMED),
    ],
)
async def test_responses(
    responses: Responses, vendor: FakeVendor, body: Any, error: type[errors.ProviderError]
) -> None:
    stream = openai.response_stream(body, end="failed" if body["error"] else "completed")
    vendor.answers(Answer.of_json(body), Answer.of_events(stream, done=None))
    for asked in (responses.complete(ASKED), collected(responses.stream(ASKED))):
        with pytest.raises(errors.ProviderError) as caught:
            await asked
        assert type(caught.value) is error
        assert caught.value.usage == Usage(36, 87, estimated=False, cached_tokens=12)


@pytest.mark.parametrize(
    ("kind", "body", "stream", "error"),
    [
        ("claude", claude.message(stop="pause_turn"), claude.end("pause_turn"), MALFORMED),
        ("claude", claude.message(stop="of_tomorrow"), claude.end("of_tomorrow"), MALFORMED),
        ("claude", claude.message(stop="sensitive"), claude.end("sensitive"), REFUSED),
        ("claude", claude.message(stop="tool_use"), claude.end("tool_use"), MALFORMED),
        ("gemini", gemini.answer({"text": "a"}, finish="OF_TOMORROW"), None, MALFORMED),
        ("gemini", gemini.answer({"text": "a"}, finish="MALFORMED_FUNCTION_CALL"), None, MALFORMED),
        ("gemini", gemini.answer({"text": "a"}, finish="SPII"), None, REFUSED),
        ("ollama", ollama.last("a", reason="load"), None, MALFORMED),
        ("ollama", ollama.last("a", reason="of_tomorrow"), None, MALFORMED),
        ("ollama", ollama.chunk("a"), None, CUT_OFF),
    ],
)
async def test_other_vendors(
    gateway: Gateway,
    vendor: FakeVendor,
    kind: str,
    body: Any,
    stream: Any,
    error: type[errors.ProviderError],
) -> None:
    streamed = {
        "claude": lambda: Answer.of_events([claude.begin(), *(stream or ())], done=None),
        "gemini": lambda: Answer.of_events([body], done=None),
        "ollama": lambda: Answer.of_lines([body]),
    }
    vendor.answers(Answer.of_json(body), streamed[kind]())
    with pytest.raises(errors.ProviderError) as caught:
        await gateway.complete(ASKED, [target(vendor, kind)])
    assert type(caught.value) is error
    with pytest.raises(errors.ProviderError) as caught:
        await collected(gateway.stream(ASKED, [target(vendor, kind)]))
    assert type(caught.value) is error


class Fallbacks(Unobserved):
    def __init__(self) -> None:
        self.codes: list[str] = []

    def fell_back(self, target: Target, error: errors.ProviderError) -> None:
        self.codes.append(error.code)


GEMINI_EMPTY = gemini.answer() | {"candidates": [{"finishReason": "STOP", "index": 0}]}
EMPTY = [
    ("openai-compatible", openai.chat(""), chat_stream("stop")),
    ("openai-compatible", openai.chat(" \n"), chat_stream("stop")),
    ("gemini", GEMINI_EMPTY, [GEMINI_EMPTY]),
    ("claude", claude.message(content=[]), [claude.begin(), *claude.end("end_turn")]),
]


@pytest.mark.parametrize(("kind", "body", "events"), EMPTY)
async def test_an_empty_answer_is_marked_and_a_chain_goes_on(
    vendor: FakeVendor, kind: str, body: Any, events: Any
) -> None:
    seen = Fallbacks()
    async with Gateway(POLICY, observer=seen) as gateway, fake_vendor() as other:
        other.answers(Answer.of_json(openai.chat("Hello")), Answer.of_events(openai.CHAT_STREAM))
        vendor.answers(Answer.of_json(body), Answer.of_events(events, done=None))
        chain = [target(vendor, kind), target(other, name="other")]
        assert (await gateway.complete(ASKED, chain)).text == "Hello"
        pieces, completion = await collected(gateway.stream(ASKED, chain))
        assert (pieces, completion.provider) == (["Grüße, ", "世界!"], "other")
        assert seen.codes == ["empty_answer", "empty_answer"]
        vendor.answers(Answer.of_json(body), Answer.of_events(events, done=None))
        last = await gateway.complete(ASKED, chain[:1])
        _, streamed = await collected(gateway.stream(ASKED, chain[:1]))
        assert (last.stop_reason, streamed.stop_reason) == ("empty", "empty")


async def test_an_answer_cut_by_its_limit_is_not_empty(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    vendor.answers(Answer.of_json(chat("length", "")))
    assert (await gateway.complete(ASKED, [target(vendor)])).stop_reason == "length"


@pytest.mark.parametrize(
    ("kind", "body", "usage"),
    [
        ("openai-compatible", chat("sensitive"), Usage(19, 10, False, 8)),
        ("openai-compatible", {"usage": openai.chat()["usage"]}, Usage(19, 10, False, 8)),
        ("claude", claude.REFUSAL, Usage(2121, 12, False, 2000)),
        ("claude", claude.message(5), Usage(2121, 12, False, 2000)),
        ("gemini", gemini.answer(finish="SAFETY"), Usage(2121, 102, False, 2000)),
        ("ollama", ollama.last("a", reason="load"), Usage(26, 298, False)),
    ],
)
async def test_usage_is_kept_whatever_the_end(
    gateway: Gateway, vendor: FakeVendor, kind: str, body: Any, usage: Usage
) -> None:
    vendor.answers(Answer.of_json(body))
    with pytest.raises(errors.ProviderError) as caught:
        await gateway.complete(ASKED, [target(vendor, kind)])
    assert (caught.value.usage, caught.value.model) == (usage, "m")


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (
            "claude",
            Answer.of_events(
                [
                    claude.begin(),
                    *claude.thinking_block(0, *LETTERS),
                    *claude.end("end_turn"),
                ],
                done=None,
            ),
        ),
        (
            "openai-compatible",
            Answer.of_events(
                [
                    *[openai.chat_chunk({"reasoning_content": letter}) for letter in LETTERS],
                    *openai.CHAT_STREAM,
                ]
            ),
        ),
        (
            "gemini",
            Answer.of_events([gemini.answer({"text": "a", "thought": True})] * 12, done=None),
        ),
        ("ollama", Answer.of_lines([ollama.chunk("", thinking="a")] * 12 + [ollama.last("a")])),
    ],
)
async def test_thinking_is_life(vendor: FakeVendor, kind: str, answer: Answer) -> None:
    """Each event comes late, all together far later than the first token may be."""
    assert (await paced(vendor, kind, answer, first_token=1.5, pause=0.2)).stop_reason


async def test_silence_before_the_first_token_is_none(vendor: FakeVendor) -> None:
    pings = [claude.begin(), *[("ping", {"type": "ping"})] * 30, *claude.end("end_turn")]
    with pytest.raises(errors.ProviderTimeoutError, match=r"no first token within 0\.3 seconds"):
        await paced(vendor, "claude", Answer.of_events(pings, done=None), first_token=0.3)


async def paced(
    vendor: FakeVendor, kind: str, answer: Answer, *, first_token: float, pause: float = 0.05
) -> Completion:
    """The completion of a stream whose parts come one by one."""
    vendor.answers(replace(answer, pause=pause))
    async with Gateway(POLICY, Timeouts(first_token=first_token)) as gateway:
        _, completion = await collected(gateway.stream(ASKED, [target(vendor, kind)]))
    return completion


@pytest.mark.parametrize(
    ("finish", "text", "model"),
    [("stop", "", openai.chat()["model"]), ("of_tomorrow", "part", "m")],
)
async def test_what_a_chain_spent_in_vain_is_told(
    vendor: FakeVendor, finish: str, text: str, model: str
) -> None:
    usage = Usage(19, 10, estimated=False, cached_tokens=8)
    spent = (SpentCall("llm", "openai-compatible", model, usage),)
    whole, stream = Answer.of_json(chat(finish, text)), Answer.of_events(chat_stream(finish))
    async with Gateway(POLICY) as gateway, fake_vendor() as other:
        chain = [target(vendor), target(other, name="other")]
        vendor.answers(whole, stream, whole)
        other.answers(
            Answer.of_json(openai.chat("Hello")),
            Answer.of_events(openai.CHAT_STREAM),
            Answer.of_json({}, 500),
        )
        _, streamed = completions = (
            await gateway.complete(ASKED, chain),
            (await collected(gateway.stream(ASKED, chain)))[1],
        )
        assert [completion.spent for completion in completions] == [spent, spent]
        assert streamed.usage == usage
        with pytest.raises(errors.OverloadedError) as caught:
            await gateway.complete(ASKED, chain)
        assert (caught.value.usage, caught.value.spent) == (None, spent)
