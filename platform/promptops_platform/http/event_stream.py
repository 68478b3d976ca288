"""Answers as server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, NamedTuple

from fastapi import Request
from starlette.responses import StreamingResponse

from promptops_flows.waiting import end_tasks
from promptops_providers.storable_texts import storable_json

MEDIA_TYPE = "text/event-stream"
# Shorter than the time after which proxies take a silent connection for a dead one.
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b": still here\n\n"
# Line ends for Unicode, though not for event streams: there are clients that split lines at them.
LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
HEADERS = {
    "cache-control": "no-cache, no-transform",
    # Read by nginx, which otherwise gathers an answer before it passes it on.
    "x-accel-buffering": "no",
}


class ServerEvent(NamedTuple):
    """An event's name, and its data as a JSON value."""

    name: str
    data: Any

    def encoded(self) -> bytes:
        """The event on the wire. JSON has no line breaks of its own, so its data is one line."""
        data = storable_json(self.data)
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).translate(LINE_ENDS)
        return f"event: {self.name}\ndata: {text}\n\n".encode()


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


def event_stream(
    events: AsyncGenerator[ServerEvent, None], *, heartbeat: float = HEARTBEAT_SECONDS
) -> StreamingResponse:
    """An answer that sends `events` as they come, and a comment whenever none came for a while.

    When the client hangs up, `events` is closed.
    """
    return StreamingResponse(_lines(events, heartbeat), media_type=MEDIA_TYPE, headers=HEADERS)


async def _lines(
    events: AsyncGenerator[ServerEvent, None], heartbeat: float
) -> AsyncIterator[bytes]:
    async with aclosing(events):
        coming = asyncio.ensure_future(anext(events))
        try:
            while True:
                # Not `wait_for`, whose timeout would cancel the generator itself.
                await asyncio.wait([coming], timeout=heartbeat)
                if not coming.done():
                    yield HEARTBEAT
                    continue
                try:
                    event = coming.result()
                except StopAsyncIteration:
                    return
                yield event.encoded()
                coming = asyncio.ensure_future(anext(events))
        finally:
            # A generator can't be closed while somebody waits for its next event.
            await end_tasks(coming)
