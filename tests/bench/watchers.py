"""Watching clients in a process of their own: opens as many as it is told, counts what they get.

`python -m bench.watchers PORT NUMBER PATH`: writes a line once all are connected, and one with the
time of the last receipt whenever each of them has got another event.
"""

import asyncio
import base64
import json
import os
import sys
import time
from typing import cast

import uvloop

from bench.open_files import allow_many_open_files
from bench.servers import TOKEN

AT_ONCE = 100
# Loopback has ports for some 28,000 connections from one address.
SOURCES = 8
EVENT = b'"type":"prompt.'
END_OF_HEAD = b"\r\n\r\n"


class Tally:
    """How many events have come over all connections."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._received = 0

    def add(self, events: int) -> None:
        before, self._received = self._received, self._received + events
        if before // self._number != self._received // self._number:
            say(events=self._received // self._number, at=time.monotonic())


class Watcher(asyncio.Protocol):
    """Reads whole frames of up to 64 KiB, without a mask, as a server sends them."""

    def __init__(self, handshake: bytes, tally: Tally) -> None:
        self._handshake = handshake
        self._tally = tally
        self._left = b""
        self.connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._handshake)

    def data_received(self, data: bytes) -> None:
        data = self._left + data
        if not self.connected.done():
            head, separator, rest = data.partition(END_OF_HEAD)
            if not separator:
                self._left = data
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self.connected.set_result(None)
            data = rest
        self._left = self._frames(data)

    def _frames(self, data: bytes) -> bytes:
        """Count the events; what is no whole frame is left."""
        start = events = 0
        while len(data) >= start + 4:
            length, payload = data[start + 1], start + 2
            if length == 126:
                length, payload = int.from_bytes(data[start + 2 : start + 4]), start + 4
            if len(data) < payload + length:
                break
            events += EVENT in data[payload : payload + length]
            start = payload + length
        if events:
            self._tally.add(events)
        return data[start:]

    def connection_lost(self, _exc: Exception | None) -> None:
        say(error="a connection was lost")


def say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


async def main(port: int, number: int, path: str) -> None:
    tally, turn = Tally(number), asyncio.Semaphore(AT_ONCE)
    loop = asyncio.get_running_loop()

    async def connect(index: int) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        handshake = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"User-Agent: promptops-bench/1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        ).encode()
        source = (f"127.0.0.{1 + index % SOURCES}", 0)
        async with turn:
            _, watcher = await loop.create_connection(
                lambda: Watcher(handshake, tally), "127.0.0.1", port, local_addr=source
            )
            await watcher.connected

    await asyncio.gather(*(connect(index) for index in range(number)))
    say(connected=number)
    await asyncio.Event().wait()


if __name__ == "__main__":
    allow_many_open_files()
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
