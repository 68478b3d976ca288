"""Answers of vendors and tools that are small on the wire and huge once they are unpacked."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import cache

import pytest
import pytest_asyncio

from harness.vendors import Answer, FakeVendor, fake_vendor, openai
from harness.vendors.collecting import collected
from promptops_flows.steps.http_tools import HttpTool, ToolClient, ToolError, call_tool
from promptops_providers import errors
from promptops_providers.gateway import Credentials, Target
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import Completion, CompletionRequest
from promptops_providers.transport.address_policy import AddressPolicy

POLICY = AddressPolicy(allow_loopback=True)
ASKED = CompletionRequest.of_text("Hi")
KINDS = ["openai-compatible", "openai", "claude", "gemini", "ollama"]
MEGABYTE = 1024 * 1024
# What a refusal may take at most, far below what the bombs hold.
MOST_BYTES = 32 * MEGABYTE


@cache
def packed(times: int = 1) -> bytes:
    """64 MB of a JSON text, compressed again and again."""
    body = b'{"a": "' + b"a" * 64 * MEGABYTE + b'"}'
    for _ in range(times):
        body = gzip.compress(body, 9)
    return body


Body = Callable[[], bytes]
BOMBS = [
    pytest.param("gzip, gzip", lambda: packed(2), "compressed 2 times over", id="two layers"),
    pytest.param("gzip,identity,x-gzip", lambda: packed(2), "2 times over", id="with a blind"),
    pytest.param("gzip", packed, "unpacks to more than 100 times its size", id="one layer"),
    pytest.param("x-gzip", packed, "unpacks to more than 100 times its size", id="its other name"),
    pytest.param("br", packed, "compressed as 'br', which was not asked for", id="another coding"),
    pytest.param("zstd", packed, "compressed as 'zstd'", id="yet another"),
    pytest.param("deflate", lambda: zlib.compress(packed()), "'deflate'", id="deflate"),
    pytest.param("gzip", lambda: b"not gzip at all", "its gzip is damaged", id="damaged"),
    pytest.param("gzip", lambda: packed()[:1000], "its gzip breaks off", id="cut"),
    pytest.param("gzip", lambda: gzip.compress(b"a" * 9999) * 999, "100 times", id="members"),
    pytest.param("gzip", lambda: gzip.compress(b"") * 9_000, "1,000 members", id="of nothing"),
]


@contextmanager
def little_memory() -> Iterator[None]:
    """Fails where what happens inside takes more memory than any refusal needs."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


def answer(coding: str, body: bytes, status: int = 200) -> Answer:
    headers = {"content-type": "application/json", "content-encoding": coding}
    return Answer([body], status, headers).in_portions_of(60_000)


def target(vendor: FakeVendor, kind: str = "openai-compatible") -> Target:
    return Target("acme", "m", kind, Credentials("sk-very-secret", vendor.url))


async def completed(gateway: Gateway, to: Target) -> Completion:
    """In a task of its own, so that the watchdog sees how long it holds the loop."""
    return await asyncio.create_task(gateway.complete(ASKED, [to]))


async def streamed(gateway: Gateway, to: Target) -> Completion:
    _, completion = await collected(gateway.stream(ASKED, [to]))
    return completion


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[FakeVendor]:
    async with fake_vendor() as running:
        yield running


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway(POLICY) as opened:
        yield opened


@pytest.mark.parametrize(("coding", "body", "message"), BOMBS)
async def test_a_models_answer(
    gateway: Gateway, vendor: FakeVendor, coding: str, body: Body, message: str
) -> None:
    vendor.answers(answer(coding, body()))
    with little_memory(), pytest.raises(errors.MalformedAnswerError, match=message):
        await completed(gateway, target(vendor))
    with little_memory(), pytest.raises(errors.MalformedAnswerError, match=message):
        await streamed(gateway, target(vendor))


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_model(gateway: Gateway, vendor: FakeVendor, kind: str) -> None:
    vendor.answers(answer("gzip", packed()))
    with little_memory(), pytest.raises(errors.MalformedAnswerError, match="100 times"):
        await completed(gateway, target(vendor, kind))
    with little_memory(), pytest.raises(errors.MalformedAnswerError, match="100 times"):
        await streamed(gateway, target(vendor, kind))


@pytest.mark.parametrize(("coding", "body", "message"), BOMBS)
async def test_an_error_of_a_model(
    gateway: Gateway, vendor: FakeVendor, coding: str, body: Body, message: str
) -> None:
    """Its words are lost, the status says what happened."""
    vendor.answers(answer(coding, body(), 429))
    with little_memory(), pytest.raises(errors.RateLimitedError):
        await completed(gateway, target(vendor))


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(("coding", "body", "message"), BOMBS)
async def test_a_tool(
    vendor: FakeVendor, coding: str, body: Body, message: str, status: int
) -> None:
    """What a tool answers is cut, so one layer of any size does no harm."""
    vendor.answers(answer(coding, body(), status))
    tool = HttpTool("t", "", {"type": "object"}, "GET", vendor.url, max_response_bytes=5)
    async with ToolClient(POLICY) as client:
        with little_memory():
            try:
                text = await asyncio.create_task(call_tool(client, tool, {}))
            except ToolError as error:
                text = str(error)
    assert len(text) < 200
    assert text.startswith(
        (
            '{"a":\n[cut',
            "aaaaa\n[cut",
            "the tool's answer could not be read: it",
            "the tool answered HTTP 500",
        )
    )


async def test_honest_compression_is_read(gateway: Gateway, vendor: FakeVendor) -> None:
    """Also what compresses well, byte by byte, and of several members."""
    whole = Answer.of_json(openai.chat("ha" * 300_000)).body
    half = len(whole) // 2
    for body in (gzip.compress(whole), gzip.compress(whole[:half]) + gzip.compress(whole[half:])):
        vendor.answers(answer("gzip", body), answer("GZIP", body).in_portions_of(1))
        for _ in range(2):
            completion = await completed(gateway, target(vendor))
            assert completion.text == "ha" * 300_000
    assert vendor.seen.headers["accept-encoding"] == "gzip"


async def test_an_honest_stream_comes_as_it_is_packed(gateway: Gateway, vendor: FakeVendor) -> None:
    events = Answer.of_events(openai.CHAT_STREAM)
    packer = zlib.compressobj(9, wbits=31)
    parts = [
        packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH)
        for part in events.parts
        if isinstance(part, bytes)
    ]
    headers = {"content-type": "text/event-stream", "content-encoding": "gzip"}
    held, hold = Answer([*parts, packer.flush()], headers=headers).held_after(2)
    vendor.answers(held)
    stream = gateway.stream(ASKED, [target(vendor)])
    first = await anext(stream)
    hold.release()
    pieces, completion = await collected(stream)
    assert (getattr(first, "text", ""), *pieces) == ("Grüße, ", "世界!")
    assert completion.text == "Grüße, 世界!"


async def test_an_honest_tool_is_read(vendor: FakeVendor) -> None:
    vendor.answers(answer("gzip", gzip.compress(b"dry")))
    tool = HttpTool("t", "", {"type": "object"}, "GET", vendor.url)
    async with ToolClient(POLICY) as client:
        assert await call_tool(client, tool, {}) == "dry"


LARGE = [
    pytest.param(b"[" + b"[]," * 2_000_000 + b"1]", "more than 250,000 values", id="values"),
    pytest.param(b'{"a": "' + b"a" * 9 * MEGABYTE + b'"}', "longer than 8,388,608", id="length"),
    pytest.param(b'{"a":' * 900 + b"1" + b"}" * 900, "it has no message", id="depth"),
    pytest.param(b"[" * 100_000, "it is not JSON", id="open"),
]


@pytest.mark.parametrize(("body", "message"), LARGE)
async def test_json_that_takes_long(
    gateway: Gateway, vendor: FakeVendor, body: bytes, message: str
) -> None:
    vendor.answers(answer("identity", body))
    with pytest.raises(errors.MalformedAnswerError, match=message):
        await completed(gateway, target(vendor))
    vendor.answers(answer("identity", b"data: " + body + b"\n\n"))
    with pytest.raises(errors.ProviderError):
        await streamed(gateway, target(vendor))
