"""The wire under any adapter, against a real server."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
import pytest_asyncio

from harness.vendors import CUT, Answer, FakeVendor
from promptops_providers import errors
from promptops_providers.gateway import Credentials
from promptops_providers.transport.address_policy import AddressPolicy
from promptops_providers.transport.clients import Timeouts, guarded_client
from promptops_providers.transport.endpoints import endpoint
from promptops_providers.transport.vendor_http import Dialect, VendorHttp

KEY = "sk-very-secret-123456"


@pytest_asyncio.fixture
async def wire(vendor: FakeVendor) -> AsyncIterator[VendorHttp]:
    async with guarded_client(AddressPolicy(allow_loopback=True), Timeouts()) as client:
        yield VendorHttp("acme", Dialect(root=""), Credentials(KEY, vendor.url), client)


async def test_an_answer_is_a_json_object(wire: VendorHttp, vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_json({"a": 1}))
    assert await wire.answer("/v1/things", {"b": "ä"}) == {"a": 1}
    assert (vendor.seen.method, vendor.seen.path) == ("POST", "/v1/things")
    assert vendor.seen.headers["authorization"] == f"Bearer {KEY}"
    assert vendor.seen.json == {"b": "ä"}


async def test_one_connection_serves_many_requests(wire: VendorHttp, vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_json({}))
    for _ in range(5):
        await wire.answer("/v1/things", {})
    assert (len(vendor.requests), vendor.connections) == (5, 1)


async def test_events_come_one_by_one(wire: VendorHttp, vendor: FakeVendor) -> None:
    answer, hold = Answer.of_events([{"n": 1}, {"n": 2}], done=None).held_after(1)
    vendor.answers(answer)
    async with aclosing(wire.events("/v1/things", {})) as events:
        assert (await anext(events)).data == '{"n": 1}'
        hold.release()
        assert [event.data async for event in events] == ['{"n": 2}']


async def test_closing_the_iterator_closes_the_connection(
    wire: VendorHttp, vendor: FakeVendor
) -> None:
    answer, _ = Answer.of_lines([{"n": 1}, {"n": 2}]).held_after(1)
    vendor.answers(answer)
    async with aclosing(wire.json_lines("/v1/things", {})) as lines:
        assert await anext(lines) == {"n": 1}
    await vendor.hung_up.wait()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer.of_json({}, 400), errors.BadRequestError),
        (Answer([b"<html>gone</html>"], 404), errors.TargetUnusableError),
        (Answer.of_json({"error": "retired"}, 410), errors.TargetUnusableError),
        (Answer([b"<html>too large</html>"], 413), errors.ContextTooLongError),
        (Answer([b"unprocessable"], 422), errors.TargetUnusableError),
        (Answer.of_json({"error": {"message": "no"}}, 422), errors.BadRequestError),
        (Answer.of_json({}, 401), errors.AuthenticationError),
        (Answer.of_json({}, 402), errors.QuotaExceededError),
        (Answer.of_json({}, 429), errors.RateLimitedError),
        (Answer.of_json({}, 500), errors.OverloadedError),
        (Answer.of_json({}, 504), errors.ProviderTimeoutError),
        (Answer.of_json({}, 302, location="http://127.0.0.1/"), errors.AddressRefusedError),
        (Answer.of_json([]), errors.MalformedAnswerError),
        (Answer([b"[" * 100_000]), errors.MalformedAnswerError),
        (Answer([b'{"a": "\xff"}']), errors.MalformedAnswerError),
        (Answer([b"hello\r\n\r\n"], raw=True), errors.MalformedAnswerError),
        (Answer([b'{"a"', CUT]), errors.StreamCutOffError),
        (Answer([CUT], raw=True), errors.StreamCutOffError),
        (Answer([], raw=True), errors.StreamCutOffError),
    ],
)
async def test_each_failure_has_its_error(
    wire: VendorHttp, vendor: FakeVendor, answer: Answer, error: type[errors.ProviderError]
) -> None:
    vendor.answers(answer)
    with pytest.raises(errors.ProviderError) as caught:
        await wire.answer("/v1/things", {})
    assert type(caught.value) is error
    assert str(caught.value).startswith("provider acme: ")


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("https://a.b", "/v1/chat", "https://a.b/v1/chat"),
        ("https://a.b/v1/", "/v1/chat", "https://a.b/v1/chat"),
        ("https://a.b/api/paas/v4", "/v1/chat", "https://a.b/api/paas/v4/chat"),
        ("https://a.b/v1beta/openai", "/v1/chat", "https://a.b/v1beta/openai/chat"),
        ("https://a.b/v1", "/v1beta/models", "https://a.b/v1/models"),
        ("http://a.b:11434/api", "/api/chat", "http://a.b:11434/api/chat"),
        ("http://a.b:11434/v1", "/api/chat", "http://a.b:11434/api/chat"),
        ("http://a.b/proxy", "/api/chat", "http://a.b/proxy/api/chat"),
        ("http://a.b/chat", "/api/chat", "http://a.b/chat/api/chat"),
        ("http://a.b/api/chat/", "/api/chat", "http://a.b/api/chat"),
        ("http://a.b/v1/chat/completions", "/api/chat", "http://a.b/api/chat"),
        *(
            (base, "/v1/chat/completions", base)
            for base in (
                "https://a.b/v1/chat/completions",
                "https://a.b/api/paas/v4/chat/completions",
                "https://a.b/v1beta/openai/chat/completions",
                "https://a.b/inference/chat/completions",
                "https://a.b/chat/completions",
            )
        ),
        ("https://a.b/v1/responses", "/v1/chat/completions", "https://a.b/v1/chat/completions"),
        ("https://a.b/v1/chat/completions/", "/v1/responses", "https://a.b/v1/responses"),
        ("https://a.b/v1/messages", "/v1/messages", "https://a.b/v1/messages"),
        (
            "https://a.b/v1beta/models/m:go?key=x",
            "/v1beta/models/n:go",
            "https://a.b/v1beta/models/n:go",
        ),
        (
            "https://a.b/v1beta?key=x",
            "/v1beta/m:stream?alt=sse",
            "https://a.b/v1beta/m:stream?alt=sse",
        ),
    ],
)
def test_a_base_url_may_hold_the_version(base: str, path: str, url: str) -> None:
    assert str(endpoint(base, path)) == url
