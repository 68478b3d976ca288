"""Responses as server-sent events:
https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, NamedTuple

import structlog
from fastapi import Request
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.errors import PlatformError
from promptops_platform.http.connection import EXTENSION
from promptops_platform.http.error_answers import fault_body
from promptops_platform.http.hang_up import hung_up
from promptops_platform.http.services import services_of
from promptops_platform.http.stop_signal import StopSignal
from promptops_providers.answers.storable_texts import storable_json

log = structlog.get_logger(__name__)

MEDIA_TYPE = "text/event-stream"
# Shorter than the time after which proxies close a silent connection.
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b": still here\n\n"
# When the server stops, a client that doesn't read has this long to read what is pending.
LAST_WORD_SECONDS = 1.0
# Unicode defines these as line ends, the format of event streams doesn't; some clients split lines
# at them.
LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
HEADERS = {
    "cache-control": "no-cache, no-transform",
    # nginx reads this header; without it, nginx buffers a response before forwarding it.
    "x-accel-buffering": "no",
}


class ServerEvent(NamedTuple):
    """An event's name, its data as a JSON value, and its id if a client can resume after it."""

    name: str
    data: Any
    id: str | None = None

    def encoded(self) -> bytes:
        """Encode the event. JSON contains no line breaks, so its data is one line."""
        data = storable_json(self.data)
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).translate(LINE_ENDS)
        identity = "" if self.id is None else f"id: {self.id}\n"
        return f"{identity}event: {self.name}\ndata: {text}\n\n".encode()


STOPPING = ServerEvent("stopping", {"reason": "the server is stopping; connect again"})


def described(example: ServerEvent) -> dict[str, Any]:
    """Return the content of such a response for the API description: a schema of each event."""
    data = json.dumps(example.data, ensure_ascii=False, separators=(",", ":"))
    return {
        MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "properties": {
                    "event": {"type": "string"},
                    "data": {"type": "string", "description": "JSON."},
                },
                "required": ["event", "data"],
                "examples": [{"event": example.name, "data": data}],
            }
        }
    }


def wants_events(request: Request, asked: bool | None) -> bool:
    """Whether to stream the response: if the body says so, or else the header `Accept`."""
    if asked is not None:
        return asked
    return MEDIA_TYPE in request.headers.get("accept", "")


async def begun(
    events: AsyncGenerator[ServerEvent, None],
    request_id: str,
    stop: StopSignal,
    *,
    seconds: float = HEARTBEAT_SECONDS,
) -> AsyncGenerator[ServerEvent, None]:
    """Return the same events once the first one has arrived, or after `seconds`: before it begins,
    a response has no heartbeats and would delay a stop. Errors until then are raised, later ones
    become an event `error`."""
    first = asyncio.ensure_future(anext(events))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([first, stopping], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if first.done():
            first.result()
    except BaseException:
        await end_tasks(first)
        await events.aclose()
        raise
    finally:
        await end_tasks(stopping)
    return _begun(first, events, request_id)


async def _begun(
    first: asyncio.Future[ServerEvent], events: AsyncGenerator[ServerEvent, None], request_id: str
) -> AsyncGenerator[ServerEvent, None]:
    try:
        async with aclosing(events):
            try:
                yield await first
            finally:
                await end_tasks(first)
            async for event in events:
                yield event
    except PlatformError as error:
        yield ServerEvent("error", error.body())
    except Exception:
        log.exception("stream_failed", request_id=request_id)
        yield ServerEvent("error", fault_body(request_id))


def event_stream(
    request: Request,
    events: AsyncGenerator[ServerEvent, None],
    *,
    heartbeat: float = HEARTBEAT_SECONDS,
) -> StreamingResponse:
    """Return a response that sends `events` as they arrive, and a comment after a while without
    any.

    `events` is closed when the client disconnects. It is also closed when the platform begins to
    stop; the last event is then `stopping`.
    """
    return _EventStream(events, heartbeat, services_of(request).get(StopSignal))


class _EventStream(StreamingResponse):
    def __init__(
        self, events: AsyncGenerator[ServerEvent, None], heartbeat: float, stop: StopSignal
    ) -> None:
        super().__init__(_lines(events, heartbeat, stop), media_type=MEDIA_TYPE, headers=HEADERS)
        self._stop = stop
        self._is_whole = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Not left to Starlette, which cancels repeatedly while the events are being closed.
        sending = asyncio.create_task(self.stream_response(send))
        leaving = asyncio.create_task(hung_up(receive))
        cutting = asyncio.create_task(self._cut_at_stop(scope))
        try:
            await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
            if self._is_whole or sending.done():
                await sending
        finally:
            await end_tasks(sending, leaving, cutting)

    async def stream_response(self, send: Send) -> None:
        """At a stop the body ends with its last event, because closing the source of the events may
        take longer than the connection exists."""

        async def send_until_whole(message: Message) -> None:
            if self._is_whole:
                return
            if message.get("body") == STOPPING.encoded():
                self._is_whole = True
                message = {**message, "more_body": False}
            await send(message)

        await super().stream_response(send_until_whole)

    async def _cut_at_stop(self, scope: Scope) -> None:
        """Don't let a client that doesn't read delay the stop."""
        await self._stop.wait()
        await asyncio.sleep(LAST_WORD_SECONDS)
        connection = (scope.get("extensions") or {}).get(EXTENSION)
        if connection is not None:
            connection.cut()


async def _lines(
    events: AsyncGenerator[ServerEvent, None], heartbeat: float, stop: StopSignal
) -> AsyncIterator[bytes]:
    stopping = asyncio.create_task(stop.wait())
    async with aclosing(events):
        coming = asyncio.ensure_future(anext(events))
        try:
            while True:
                # Not `wait_for`, whose timeout would cancel the generator itself.
                await asyncio.wait(
                    [coming, stopping], timeout=heartbeat, return_when=asyncio.FIRST_COMPLETED
                )
                if coming.done():
                    try:
                        event = coming.result()
                    except StopAsyncIteration:
                        return
                    yield event.encoded()
                    coming = asyncio.ensure_future(anext(events))
                elif stopping.done():
                    yield STOPPING.encoded()
                    return
                else:
                    yield HEARTBEAT
        finally:
            # A generator can't be closed while its next event is awaited.
            await end_tasks(coming, stopping)
