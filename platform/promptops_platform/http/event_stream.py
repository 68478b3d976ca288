"""Answers as server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

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
# Shorter than the time after which proxies drop a silent connection.
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b": still here\n\n"
# At a stop, a client that does not read has so long to read what waits for it.
LAST_WORD_SECONDS = 1.0
# Unicode calls these line ends, the format of event streams does not; some clients split lines at
# them.
LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
HEADERS = {
    "cache-control": "no-cache, no-transform",
    # nginx reads this header; without it, nginx buffers an answer before it passes it on.
    "x-accel-buffering": "no",
}


class ServerEvent(NamedTuple):
    """An event's name, its data as a JSON value, and its id where a client can resume after it."""

    name: str
    data: Any
    id: str | None = None

    def encoded(self) -> bytes:
        """The event on the wire. JSON has no line breaks of its own, so its data is one line."""
        data = storable_json(self.data)
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).translate(LINE_ENDS)
        identity = "" if self.id is None else f"id: {self.id}\n"
        return f"{identity}event: {self.name}\ndata: {text}\n\n".encode()


STOPPING = ServerEvent("stopping", {"reason": "the server is stopping; connect again"})


def described(example: ServerEvent) -> dict[str, Any]:
    """The content of such an answer, for the API description: a schema of each event."""
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
    """Whether the answer is to be streamed: the body says so, or else the header `Accept`."""
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
    """The same events, as soon as the first one has come, or after `seconds`: an answer that has
    not begun has no heartbeats; nor is a stop kept waiting. What fails until then is raised, later
    it is an event `error`."""
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
    """An answer that sends `events` as they come, and a comment whenever none came for a while.

    When the client hangs up, `events` is closed. When the platform begins to stop, too, and the
    last event is `stopping`.
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
        # Not by Starlette, which cancels again and again while the events are being closed.
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
        """At a stop the body ends with its last event, as closing what makes the events may take
        longer than the connection lives."""

        async def send_until_whole(message: Message) -> None:
            if self._is_whole:
                return
            if message.get("body") == STOPPING.encoded():
                self._is_whole = True
                message = {**message, "more_body": False}
            await send(message)

        await super().stream_response(send_until_whole)

    async def _cut_at_stop(self, scope: Scope) -> None:
        """A client that does not read must not delay the stop."""
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
            # A generator can't be closed while somebody waits for its next event.
            await end_tasks(coming, stopping)
