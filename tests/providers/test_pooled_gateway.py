"""The gateway: chains of targets, time-outs, streams that are passed on, and one pool."""

import asyncio
import logging
from contextlib import aclosing

import pytest
import uvloop

from harness.ports import free_port
from harness.vendors import Answer, FakeVendor, fake_vendor, openai
from harness.vendors.collecting import collected
from promptops_providers import errors
from promptops_providers.gateway import Credentials, ModelGateway, Target
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import CompletionRequest, TextDelta
from promptops_providers.transport.address_policy import AddressPolicy
from promptops_providers.transport.clients import Timeouts

KEY = "sk-very-secret-123456"
ASKED = CompletionRequest.of_text("Hello")
POLICY = AddressPolicy(allow_loopback=True)
MOCK = Target("mock")
ANSWER = Answer.of_json(openai.chat())
STREAM = Answer.of_events(openai.CHAT_STREAM)


def at(vendor: FakeVendor, name: str = "llm") -> Target:
    return Target(name, "m", "openai-compatible", Credentials(KEY, vendor.url))


def failing(code: str) -> Target:
    return Target("mock", f"mock-fail-{code}")


async def test_it_is_a_model_gateway_without_settings() -> None:
    gateway: ModelGateway = Gateway()
    completion = await gateway.complete(ASKED, [MOCK])
    assert (completion.text, completion.provider) == ("[mock completion] Hello", "mock")


async def test_a_kind_may_bear_any_name(gateway: Gateway) -> None:
    completion = await gateway.complete(ASKED, [Target("my own", kind="mock")])
    assert completion.provider == "my own"
    with pytest.raises(errors.NotAvailableError, match="'watson' is unknown, use one of mock,"):
        await gateway.complete(ASKED, [Target("watson"), MOCK])


@pytest.mark.parametrize(
    "code",
    [
        "authentication-failed",
        "context-too-long",
        "rate-limited",
        "overloaded",
        "timeout",
        "malformed-answer",
        "stream-cut-off",
    ],
)
async def test_a_chain_goes_on_after_what_another_provider_may_not_have(
    gateway: Gateway, code: str
) -> None:
    completion = await gateway.complete(ASKED, [failing(code), Target("mock", "last")])
    assert completion.model == "last"


@pytest.mark.parametrize("code", ["bad-request", "refused"])
async def test_a_chain_ends_when_the_request_is_to_blame(gateway: Gateway, code: str) -> None:
    with pytest.raises(errors.ProviderError) as caught:
        await gateway.complete(ASKED, [failing(code), MOCK])
    assert caught.value.code == code.replace("-", "_")
    with pytest.raises(type(caught.value)):
        await collected(gateway.stream(ASKED, [failing(code), MOCK]))


async def test_the_last_targets_error_is_raised(gateway: Gateway) -> None:
    with pytest.raises(errors.OverloadedError):
        await gateway.complete(ASKED, [failing("timeout"), failing("overloaded")])
    with pytest.raises(errors.OverloadedError):
        await collected(gateway.stream(ASKED, [failing("timeout"), failing("overloaded")]))


async def test_an_unreachable_host(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(ANSWER)
    gone = Target("gone", "m", "ollama", Credentials(KEY, f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(errors.UnreachableError) as caught:
        await gateway.complete(ASKED, [gone])
    assert str(caught.value).startswith("provider gone: host 127.0.0.1 could not be reached (")
    assert (await gateway.complete(ASKED, [gone, at(vendor)])).provider == "llm"


async def test_a_name_that_is_not_resolved_in_time() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    policy = AddressPolicy.of_hosts("llm.test")
    target = Target("ollama", credentials=Credentials(base_url="http://llm.test"))
    async with Gateway(policy, Timeouts(connect=0.05), resolve=never) as gateway:
        with pytest.raises(errors.UnreachableError, match="was not resolved in time"):
            await gateway.complete(ASKED, [target])


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        ("http://169.254.169.254/v1", "host 169.254.169.254 is never called"),
        ("http://10.1.2.3/v1", "not allowed, list it in PROMPTOPS_PROVIDER_HOSTS to allow it"),
        ("http://user:pass@127.0.0.1/", "must not hold a user name or a password"),
        ("ftp://127.0.0.1/", "must begin with http"),
        ("http://[::1", "not a URL"),
    ],
)
async def test_a_forbidden_address_is_refused_and_ends_the_chain(
    gateway: Gateway, base_url: str, words: str
) -> None:
    target = Target("llm", "m", "openai", Credentials(KEY, base_url))
    with pytest.raises(errors.AddressRefusedError) as caught:
        await gateway.complete(ASKED, [target, MOCK])
    assert str(caught.value).startswith("provider llm: ")
    assert words in str(caught.value)
    assert caught.value.code == "address_refused"


async def test_loopback_is_refused_where_it_is_not_allowed(vendor: FakeVendor) -> None:
    async with Gateway(AddressPolicy()) as gateway:
        with pytest.raises(errors.AddressRefusedError):
            await gateway.complete(ASKED, [at(vendor)])
    assert vendor.connections == 0


async def test_a_stream_falls_back_before_its_first_piece(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    vendor.answers(STREAM.ended_after(20))
    pieces, completion = await collected(gateway.stream(ASKED, [at(vendor), MOCK]))
    assert completion.provider == "mock"
    assert "".join(pieces) == completion.text


async def test_a_stream_does_not_fall_back_later(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(STREAM.ended_after(STREAM.body.index("世".encode())))
    with pytest.raises(errors.StreamCutOffError):
        await collected(gateway.stream(ASKED, [at(vendor), MOCK]))


async def test_the_first_piece_does_not_wait_for_the_second(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    answer, hold = STREAM.held_after(2)
    vendor.answers(answer)
    async with aclosing(gateway.stream(ASKED, [at(vendor)])) as events:
        assert await anext(events) == TextDelta("Grüße, ")
        hold.release()
        assert await anext(events) == TextDelta("世界!")


async def test_leaving_a_stream_closes_its_connection(gateway: Gateway, vendor: FakeVendor) -> None:
    answer, _ = STREAM.held_after(2)
    vendor.answers(answer)
    async with aclosing(gateway.stream(ASKED, [at(vendor), MOCK])) as events:
        await anext(events)
    await vendor.hung_up.wait()


@pytest.mark.parametrize("streams", [True, False])
async def test_cancelling_closes_the_connection(
    gateway: Gateway, vendor: FakeVendor, streams: bool
) -> None:
    answer, hold = STREAM.held_after(0)
    vendor.answers(answer)
    targets = [at(vendor), MOCK]
    waiting = asyncio.ensure_future(
        collected(gateway.stream(ASKED, targets)) if streams else gateway.complete(ASKED, targets)
    )
    await hold.reached.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await vendor.hung_up.wait()


async def test_no_answer_in_time(vendor: FakeVendor) -> None:
    answer, _ = STREAM.held_after(0)
    vendor.answers(answer)
    async with Gateway(POLICY, Timeouts(whole=0.05)) as gateway:
        with pytest.raises(errors.ProviderTimeoutError) as caught:
            await gateway.complete(ASKED, [at(vendor)])
        assert str(caught.value) == "provider llm: no whole answer within 0.05 seconds"
        assert (await gateway.complete(ASKED, [at(vendor), MOCK])).provider == "mock"


async def test_no_first_token_in_time(vendor: FakeVendor) -> None:
    # The first event holds no text yet.
    answer, _ = STREAM.held_after(1)
    vendor.answers(answer)
    async with Gateway(POLICY, Timeouts(first_token=0.05)) as gateway:
        with pytest.raises(errors.ProviderTimeoutError) as caught:
            await collected(gateway.stream(ASKED, [at(vendor)]))
        assert str(caught.value) == "provider llm: no first token within 0.05 seconds"
        _, completion = await collected(gateway.stream(ASKED, [at(vendor), MOCK]))
        assert completion.provider == "mock"
    await vendor.hung_up.wait()


async def test_no_end_of_a_stream_in_time(vendor: FakeVendor) -> None:
    answer, _ = STREAM.held_after(2)
    vendor.answers(answer)
    async with Gateway(POLICY, Timeouts(first_token=5, whole=0.5)) as gateway:
        events = gateway.stream(ASKED, [at(vendor)])
        assert await anext(events) == TextDelta("Grüße, ")
        with pytest.raises(errors.ProviderTimeoutError, match="no whole answer within 0"):
            await anext(events)


async def test_the_readers_own_time_does_not_count(vendor: FakeVendor) -> None:
    vendor.answers(STREAM)
    async with (
        Gateway(POLICY, Timeouts(whole=0.6)) as gateway,
        aclosing(gateway.stream(ASKED, [at(vendor)])) as events,
    ):
        await anext(events)
        await asyncio.sleep(0.7)
        assert await anext(events) == TextDelta("世界!")


async def test_an_answer_without_end_is_cut(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(Answer([b'{"a": "' + b"x" * 2_000_000, *[b"x" * 8_000_000] * 4]))
    with pytest.raises(errors.MalformedAnswerError, match="longer than 8,388,608 bytes"):
        await gateway.complete(ASKED, [at(vendor)])


async def test_one_pool_serves_all_targets(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(ANSWER)
    for name in ("a", "b", "a"):
        await gateway.complete(ASKED, [at(vendor, name)])
    vendor.answers(STREAM)
    await collected(gateway.stream(ASKED, [at(vendor)]))
    assert (len(vendor.requests), vendor.connections) == (4, 1)


@pytest.mark.parametrize("key", ["sk-ä", "sk-a b", "sk-a\r\nX-Evil: 1", "sk-\x00"])
async def test_a_key_that_can_be_none(gateway: Gateway, vendor: FakeVendor, key: str) -> None:
    target = Target("llm", "m", "openai-compatible", Credentials(key, vendor.url))
    with pytest.raises(errors.AuthenticationError) as caught:
        await gateway.complete(ASKED, [target])
    assert (
        str(caught.value)
        == "provider llm: the API key contains characters that are not valid in a key"
    )
    assert vendor.connections == 0


async def test_a_request_that_is_no_json(gateway: Gateway, vendor: FakeVendor) -> None:
    for value in (float("nan"), object()):
        request = CompletionRequest(ASKED.messages, parameters={"x": value})
        with pytest.raises(errors.BadRequestError, match="the request is not JSON"):
            await gateway.complete(request, [at(vendor)])


async def test_no_key_in_logs_and_texts(
    gateway: Gateway, vendor: FakeVendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    message = f"Bearer {KEY} is wrong"
    vendor.answers(ANSWER, STREAM, openai.error(401, message, "invalid_request_error", message))
    target = at(vendor)
    await gateway.complete(ASKED, [target])
    await collected(gateway.stream(ASKED, [target]))
    with pytest.raises(errors.AuthenticationError) as caught:
        await gateway.complete(ASKED, [target])
    shown = [str(caught.value), repr(caught.value), repr(target), repr(gateway.policy)]
    assert KEY not in " ".join([*shown, *(record.getMessage() for record in caplog.records)])


def test_it_works_on_uvloop_as_well() -> None:
    async def use() -> str:
        async with fake_vendor(STREAM) as vendor, Gateway(POLICY) as gateway:
            _, completion = await collected(gateway.stream(ASKED, [at(vendor)]))
            return completion.text

    assert uvloop.run(use()) == "Grüße, 世界!"
