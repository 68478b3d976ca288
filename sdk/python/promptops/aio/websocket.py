"""A WebSocket client for asyncio: handshake, pings, text messages, close."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from email.message import Message

from promptops import frames
from promptops.aio.cancellation import within
from promptops.aio.streams import Connection, Route, translated_errors
from promptops.errors import response_error
from promptops.frames import Close, FrameError, FrameParser, Ping, Received, Text
from promptops.handshake import check_upgrade, handshake_request, parse_head, refusal_length
from promptops.websocket import CLOSE_SECONDS, LARGEST_MESSAGE, SEND_SECONDS, ConnectionLostError

logger = logging.getLogger("promptops")


class AsyncWebSocket:
    """An open connection, with one task that reads and one that writes."""

    def __init__(self, route: Route, connection: Connection) -> None:
        self._route = route
        self._connection = connection
        self._parser = FrameParser(LARGEST_MESSAGE)
        self._close_sent = False

    @property
    def last_frame_at(self) -> float:
        """Return when the last complete frame arrived, in seconds of ``time.monotonic``."""
        return self._parser.last_frame_at

    @classmethod
    async def open(
        cls, route: Route, path: str, headers: Mapping[str, str], timeout: float
    ) -> AsyncWebSocket:
        """Connect and perform the handshake, within `timeout` seconds; raises the errors of
        `WebSocket.open`."""
        with translated_errors(route):
            opening = _open(route, path, headers)
            connection = await within(timeout, opening, Connection.drop)
        return cls(route, connection)

    async def receive(self) -> str:
        """Return the next text message; responds to pings.

         Raises ConnectionLostError if the connection has ended, and FrameError if the server
        violated the protocol; close the connection then.
        """
        with translated_errors(self._route):
            while True:
                try:
                    received = self._parser.next()
                except FrameError as error:
                    await self._send_close(error.code)
                    raise
                if isinstance(received, Text):
                    return received.text
                if received is None:
                    await self._read()
                else:
                    await self._handle_control(received)

    async def send(self, text: str) -> None:
        """Send a text message of less than 64 KiB."""
        await self._send(frames.text_frame(text))

    async def close(self) -> None:
        """Send a close frame, wait a second for the server's, and free the connection."""
        try:
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await within(CLOSE_SECONDS, self._close_handshake())
        finally:
            await self._connection.close()

    async def _close_handshake(self) -> None:
        await self._send_close(frames.NORMAL_CLOSURE)
        while await self._connection.reader.read(65536):
            pass

    async def _send_close(self, code: int) -> None:
        if not self._close_sent:
            self._close_sent = True
            # Do not wait for a server that reads nothing.
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                sending = self._connection.send(frames.close_frame(code))
                await within(CLOSE_SECONDS, sending)

    async def _read(self) -> None:
        data = await self._connection.reader.read(65536)
        if not data:
            raise ConnectionLostError("the server ended the connection without a close frame")
        self._parser.feed(data)

    async def _send(self, data: bytes) -> None:
        with translated_errors(self._route):
            await within(SEND_SECONDS, self._connection.send(data))

    async def _handle_control(self, received: Received) -> None:
        if isinstance(received, Ping):
            await self._send(frames.control_frame(frames.PONG, received.payload))
        elif isinstance(received, Close):
            await self._send_close(received.code)
            reason = f": {received.reason}" if received.reason else ""
            message = f"the server closed the connection ({received.code}){reason}"
            raise ConnectionLostError(message, received.code)


async def _open(route: Route, path: str, headers: Mapping[str, str]) -> Connection:
    connection = await Connection.open(route, tunnel=True)
    try:
        request, key = handshake_request(route.address, path, headers)
        await connection.send(request)
        status, fields = parse_head(await connection.head())
        if status != 101:
            body = await _refusal_body(connection.reader, fields)
            raise response_error(status, body, fields.get("Location"))
        check_upgrade(fields, key)
    except BaseException:
        connection.writer.close()
        raise
    return connection


async def _refusal_body(reader: asyncio.StreamReader, fields: Message) -> bytes:
    """Return the received part of a refusal's body, for the server's message."""
    try:
        return await reader.readexactly(refusal_length(fields))
    except asyncio.IncompleteReadError as cut_off:
        return cut_off.partial
