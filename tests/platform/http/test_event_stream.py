"""Server-sent events over a real socket."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from promptops_platform.errors import BadRequest
from promptops_platform.http.event_stream import (
    HEADERS,
    HEARTBEAT,
    STOPPING,
    ServerEvent,
    begun,
    event_stream,
    wants_events,
)
from promptops_platform.http.services import Services
from promptops_platform.http.stop_signal import StopSignal
from promptops_platform.listen_addresses import open_sockets


@asynccontextmanager
async def served(
    events: AsyncGenerator[ServerEvent, None], heartbeat: float, stop: StopSignal | None = None
) -> AsyncIterator[httpx.Response]:
    """The answer to a client, not read yet."""
    app = FastAPI()
    app.state.services = Services(stop or StopSignal())

    @app.get("/")
    async def route(request: Request) -> StreamingResponse:
        return event_stream(request, events, heartbeat=heartbeat)

    sockets = open_sockets(("127.0.0.1",), 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=sockets))
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/"
    try:
        async with httpx.AsyncClient() as client, client.stream("GET", url) as answer:
            yield answer
    finally:
        server.should_exit = True
        await serving


async def test_events_come_as_they_are_made_and_silence_is_filled() -> None:
    go_on = asyncio.Event()

    async def events() -> AsyncGenerator[ServerEvent, None]:
        yield ServerEvent("delta", {"text": "two\nlines\r and ü"})
        await go_on.wait()
        yield ServerEvent("end", None)

    async with served(events(), heartbeat=0.02) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert HEADERS.items() <= dict(answer.headers).items()
        got = b""
        async for piece in answer.aiter_raw():
            got += piece
            if HEARTBEAT in got:
                go_on.set()
    first, *silence, last, rest = got.split(b"\n\n")
    name, data = first.decode().split("\n")
    assert name == "event: delta"
    assert json.loads(data.removeprefix("data: ")) == {"text": "two\nlines\r and ü"}
    assert set(silence) == {HEARTBEAT.strip()}
    assert (last, rest) == (b"event: end\ndata: null", b"")


async def test_a_client_that_hangs_up_closes_the_events() -> None:
    closed = asyncio.Event()

    async def events() -> AsyncGenerator[ServerEvent, None]:
        try:
            yield ServerEvent("first", 1)
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with served(events(), heartbeat=30) as answer:
        async for _ in answer.aiter_raw():
            break
        await answer.aclose()
        await asyncio.wait_for(closed.wait(), 30)


async def test_a_stop_ends_the_answer_and_closes_the_events() -> None:
    closed, stop = asyncio.Event(), StopSignal()

    async def events() -> AsyncGenerator[ServerEvent, None]:
        try:
            yield ServerEvent("first", 1, "7")
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with served(events(), heartbeat=30, stop=stop) as answer:
        received = b""
        async for piece in answer.aiter_raw():
            received += piece
            stop.set()
    assert received == b"id: 7\nevent: first\ndata: 1\n\n" + STOPPING.encoded()
    assert closed.is_set()


async def failing(wait_for: asyncio.Event, error: Exception) -> AsyncGenerator[ServerEvent, None]:
    await wait_for.wait()
    raise error
    yield ServerEvent("never", None)


async def test_what_fails_before_the_answer_begins_is_raised() -> None:
    at_once = asyncio.Event()
    at_once.set()
    with pytest.raises(BadRequest):
        await begun(failing(at_once, BadRequest("no")), "r-1", StopSignal(), seconds=30)


@pytest.mark.parametrize(
    ("error", "code"), [(BadRequest("no"), "bad_request"), (KeyError("fault"), "internal")]
)
async def test_an_answer_that_has_begun_without_events_tells_of_a_failure(
    error: Exception, code: str
) -> None:
    later = asyncio.Event()
    events = await begun(failing(later, error), "r-1", StopSignal(), seconds=0)
    later.set()
    (event,) = [event async for event in events]
    assert (event.name, event.data["code"]) == ("error", code)


async def test_an_answer_that_nobody_waits_for_before_it_begins_is_closed() -> None:
    closed, waiting = asyncio.Event(), asyncio.Event()

    async def events() -> AsyncGenerator[ServerEvent, None]:
        try:
            waiting.set()
            await asyncio.Event().wait()
            yield ServerEvent("never", None)
        finally:
            closed.set()

    beginning = asyncio.create_task(begun(events(), "r-1", StopSignal(), seconds=30))
    await waiting.wait()
    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning
    assert closed.is_set()


@pytest.mark.parametrize(
    ("accept", "asked", "expected"),
    [
        ("*/*", None, False),
        ("text/event-stream", None, True),
        ("application/json, text/event-stream;q=0.5", None, True),
        ("text/event-stream", False, False),
        ("application/json", True, True),
    ],
)
def test_the_body_decides_before_the_header(
    accept: str, asked: bool | None, expected: bool
) -> None:
    scope = {"type": "http", "headers": [(b"accept", accept.encode())]}
    assert wants_events(Request(scope), asked) is expected


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a\ud800", '"a\ufffd"'),
        ("\ud83d\ude00", '"😀"'),
        ("a\u2028b\u2029c\x85d", '"a\\u2028b\\u2029c\\u0085d"'),
    ],
)
def test_an_event_is_one_line_of_characters(text: str, sent: str) -> None:
    encoded = ServerEvent("x", {text: text}).encoded().decode()
    assert encoded == f"event: x\ndata: {{{sent}:{sent}}}\n\n"
    assert len(encoded.splitlines()) == 3
    expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert json.loads(encoded.splitlines()[1].removeprefix("data: ")) == {expected: expected}


async def test_a_stop_ends_the_body_before_what_makes_the_events_is_closed() -> None:
    """The call of a vendor may take longer to close than a connection lives after a stop."""
    stop, may_close, closed = StopSignal(), asyncio.Event(), asyncio.Event()

    async def events() -> AsyncGenerator[ServerEvent, None]:
        try:
            yield ServerEvent("delta", {"text": "one"})
            await asyncio.Event().wait()
        finally:
            await may_close.wait()
            closed.set()

    async with served(events(), 3600.0, stop) as answer, asyncio.timeout(60):
        received = b""
        async for piece in answer.aiter_bytes():
            received += piece
            stop.set()
        assert received.endswith(STOPPING.encoded())
        assert not closed.is_set()
        may_close.set()
        await closed.wait()
