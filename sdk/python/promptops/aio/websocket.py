"""A WebSocket client for asyncio: the handshake, pings, text messages, closing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from email.message import Message

from promptops import frames
from promptops.aio.streams import Connection, Route, translated_errors
from promptops.aio.waiting import within
from promptops.errors import response_error
from promptops.frames import Close, FrameError, FrameParser, Ping, Received, Text
from promptops.handshake import check_upgrade, handshake_request, parse_head, refusal_length
from promptops.websocket import CLOSE_SECONDS, LARGEST_MESSAGE, SEND_SECONDS, ConnectionLostError

logger = logging.getLogger("promptops")


class AsyncWebSocket:
    """An open connection, which one task reads and one writes."""

    def __init__(self, route: Route, connection: Connection) -> None:
        self._route = route
        self._connection = connection
        self._parser = FrameParser(LARGEST_MESSAGE)
        self._said_goodbye = False

    @property
    def heard_at(self) -> float:
        """When the last whole frame came, in seconds of ``time.monotonic``."""
        return self._parser.heard_at

    @classmethod
    async def open(
        cls, route: Route, path: str, headers: Mapping[str, str], timeout: float
    ) -> AsyncWebSocket:
        """Connect and shake hands, within `timeout` seconds; fails as `WebSocket.open` does."""
        with translated_errors(route):
            opening = _open(route, path, headers)
            connection = await within(timeout, opening, Connection.drop)
        return cls(route, connection)

    async def receive(self) -> str:
        """The next text message; answers pings on the way.

        Raises ConnectionLostError when the connection has ended and FrameError when the server
        broke the protocol; the connection is to be closed then.
        """
        with translated_errors(self._route):
            while True:
                try:
                    received = self._parser.next()
                except FrameError as error:
                    await self._say_goodbye(error.code)
                    raise
                if isinstance(received, Text):
                    return received.text
                if received is None:
                    await self._read()
                else:
                    await self._answer(received)

    async def send(self, text: str) -> None:
        """Send a text message of less than 64 KiB."""
        await self._send(frames.text_frame(text))

    async def close(self) -> None:
        """Say goodbye, wait a second for the server's goodbye, and free the connection."""
        try:
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await within(CLOSE_SECONDS, self._part())
        finally:
            await self._connection.close()

    async def _part(self) -> None:
        await self._say_goodbye(frames.NORMAL_CLOSURE)
        while await self._connection.reader.read(65536):
            pass

    async def _say_goodbye(self, code: int) -> None:
        if not self._said_goodbye:
            self._said_goodbye = True
            # A server that reads nothing is not waited for.
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                sending = self._connection.send(frames.close_frame(code))
                await within(CLOSE_SECONDS, sending)

    async def _read(self) -> None:
        data = await self._connection.reader.read(65536)
        if not data:
            raise ConnectionLostError("the server ended the connection without a goodbye")
        self._parser.feed(data)

    async def _send(self, data: bytes) -> None:
        with translated_errors(self._route):
            await within(SEND_SECONDS, self._connection.send(data))

    async def _answer(self, received: Received) -> None:
        if isinstance(received, Ping):
            await self._send(frames.control_frame(frames.PONG, received.payload))
        elif isinstance(received, Close):
            await self._say_goodbye(received.code)
            reason = f": {received.reason}" if received.reason else ""
            words = f"the server said goodbye ({received.code}){reason}"
            raise ConnectionLostError(words, received.code)


async def _open(route: Route, path: str, headers: Mapping[str, str]) -> Connection:
    connection = await Connection.open(route, tunnel=True)
    try:
        request, key = handshake_request(route.address, path, headers)
        await connection.send(request)
        status, fields = parse_head(await connection.head())
        if status != 101:
            body = await _refusal(connection.reader, fields)
            raise response_error(status, body, fields.get("Location"))
        check_upgrade(fields, key)
    except BaseException:
        connection.writer.close()
        raise
    return connection


async def _refusal(reader: asyncio.StreamReader, fields: Message) -> bytes:
    """The body of a refusal, for the server's words in it: as much as comes."""
    try:
        return await reader.readexactly(refusal_length(fields))
    except asyncio.IncompleteReadError as cut_off:
        return cut_off.partial
