"""The WebSocket of a watcher, below ASGI: one frame, encoded once, is written to all of them."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION = "promptops.connection"
# How long a client gets to read what waits, the close among it, and to answer that.
CLOSE_SECONDS = 10.0


class WatchConnection(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket; an endpoint finds it among the extensions of its scope.

    ASGI would need a task for each connection that waits for something to send, and encodes each
    message for each of them.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.when_writable: Callable[[], None] | None = None

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"] = cast(
                "Any", {**(self.scope["extensions"] or {}), EXTENSION: self}
            )

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.when_writable is not None:
            self.when_writable()

    @property
    def is_paused(self) -> bool:
        """Whether more waits to be read by the client than a burst explains."""
        return not self.writable.is_set()

    @property
    def unread(self) -> int:
        """Bytes that wait here because the client does not read."""
        return self.transport.get_write_buffer_size()

    def write(self, frame: bytes) -> None:
        """Send a ready frame; nothing once the connection ends."""
        if not (self.close_sent or self.disconnected or self.transport.is_closing()):
            self.transport.write(frame)

    async def drained(self, seconds: float) -> bool:
        """Wait until the client has read; False when `seconds` were not enough."""
        try:
            await asyncio.wait_for(self.writable.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def end(self, code: int, reason: str) -> None:
        """Close, also where the client does not read: it is cut off after a while."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)
