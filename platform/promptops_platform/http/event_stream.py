"""Server-sent events, as in the HTML standard, section 9.2: `event:` and `data:`, one JSON each."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from starlette.responses import StreamingResponse

MEDIA_TYPE = "text/event-stream"
# Proxies end connections that are silent for a minute.
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b":\n\n"


@dataclass(frozen=True, slots=True)
class Event:
    """`data` is anything that JSON can hold."""

    name: str
    data: Any

    def encode(self) -> bytes:
        """The event on the wire; JSON has no raw line break, so the data is one line."""
        text = json.dumps(self.data, ensure_ascii=False, separators=(",", ":"))
        return f"event: {self.name}\ndata: {text}\n\n".encode()


class EventStream(StreamingResponse):
    """An answer of events, sent as they come, with heartbeats in pauses."""

    media_type = MEDIA_TYPE

    def __init__(
        self, events: AsyncGenerator[Event], *, heartbeat_seconds: float = HEARTBEAT_SECONDS
    ) -> None:
        super().__init__(
            _encoded(events, heartbeat_seconds),
            # nginx holds answers back unless it is told not to.
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )


async def _encoded(events: AsyncGenerator[Event], pause: float) -> AsyncIterator[bytes]:
    """One task takes all events: what they come from may not be moved from task to task."""
    taken: asyncio.Queue[Event | None] = asyncio.Queue(maxsize=1)
    taking = asyncio.create_task(_take(events, taken))
    try:
        while True:
            try:
                async with asyncio.timeout(pause):
                    event = await taken.get()
            except TimeoutError:
                yield HEARTBEAT
                continue
            if event is None:
                break
            yield event.encode()
        await taking
    finally:
        taking.cancel()
        await asyncio.wait([taking])


async def _take(events: AsyncGenerator[Event], taken: asyncio.Queue[Event | None]) -> None:
    try:
        async with aclosing(events):
            async for event in events:
                await taken.put(event)
    except Exception:
        await taken.put(None)
        raise
    await taken.put(None)
