"""A small HTTP server that replays scripted responses and records its requests."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

CUT = object()
"""In an answer's parts: the connection is reset at this point."""


class Hold:
    """One of an answer's parts: nothing more is sent before `release`; `reached` is set when it is
    reached."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._released = asyncio.Event()

    def release(self) -> None:
        self._released.set()

    async def wait(self) -> None:
        self.reached.set()
        await self._released.wait()


Part = bytes | Hold | object


@dataclass(frozen=True)
class Answer:
    """Each part of bytes is one chunk of HTTP's chunked coding. Without `CUT` the body ends
    properly.

    A `raw` answer consists only of its parts, without status line and coding, and closes the
    connection. `pause` is the number of seconds before each part.
    """

    parts: Sequence[Part] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bool = False
    pause: float = 0.0

    @classmethod
    def of_json(cls, value: Any, status: int = 200, **headers: str) -> Answer:
        """Header names have underscores instead of hyphens."""
        extra_headers = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(
            [json.dumps(value).encode()],
            status,
            {"content-type": "application/json", **extra_headers},
        )

    @classmethod
    def of_events(cls, events: Iterable[Any], *, done: str | None = "[DONE]") -> Answer:
        """Server-sent events: each value as JSON, or with its name as `(name, value)`."""
        parts = [_event(event) for event in events]
        if done is not None:
            parts.append(f"data: {done}\n\n".encode())
        return cls(parts, headers={"content-type": "text/event-stream"})

    @classmethod
    def of_lines(cls, values: Iterable[Any]) -> Answer:
        """One JSON value per line."""
        parts = [_json(value) + b"\n" for value in values]
        return cls(parts, headers={"content-type": "application/x-ndjson"})

    @property
    def body(self) -> bytes:
        return b"".join(part for part in self.parts if isinstance(part, bytes))

    def in_portions_of(self, size: int) -> Answer:
        """The same bytes, split into chunks of `size`."""
        body = self.body
        return replace(self, parts=[body[at : at + size] for at in range(0, len(body), size)])

    def cut_after(self, size: int) -> Answer:
        """The first `size` bytes of the body, then the connection is reset."""
        return replace(self, parts=[self.body[:size], CUT])

    def ended_after(self, size: int) -> Answer:
        """The first `size` bytes of the body, as if they were complete."""
        return replace(self, parts=[self.body[:size]])

    def held_after(self, count: int) -> tuple[Answer, Hold]:
        """The first `count` parts, and the others when the hold is released."""
        hold = Hold()
        return replace(self, parts=[*self.parts[:count], hold, *self.parts[count:]]), hold


@dataclass(frozen=True)
class SeenRequest:
    """`headers` have names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class FakeVendor:
    """Responds as scripted, in order; the last answer is repeated."""

    def __init__(self) -> None:
        self.url = ""
        self.port = 0
        self.requests: list[SeenRequest] = []
        self.connections = 0
        # Set when a client has disconnected, even in the middle of an answer.
        self.hung_up = asyncio.Event()
        self._script: deque[Answer] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def seen(self) -> SeenRequest:
        """The last request."""
        return self.requests[-1]

    def answers(self, *script: Answer) -> None:
        """Replaces the rest of the script."""
        self._script = deque(script)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                if not await self._answer(reader, writer):
                    break
        self._tasks.discard(task)
        self.hung_up.set()
        writer.close()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection stays open."""
        answer = self._script.popleft() if len(self._script) > 1 else self._script[0]
        if not answer.raw:
            writer.write(_head(answer))
        for part in answer.parts:
            if answer.pause:
                await asyncio.sleep(answer.pause)
            if part is CUT:
                await writer.drain()
                writer.transport.abort()
                return False
            if isinstance(part, Hold):
                if not await _released(part, reader):
                    return False
            elif isinstance(part, bytes) and part:
                writer.write(part if answer.raw else b"%x\r\n%b\r\n" % (len(part), part))
                await writer.drain()
        if not answer.raw:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        return not answer.raw


@asynccontextmanager
async def fake_vendor(
    *script: Answer, tls: ssl.SSLContext | None = None
) -> AsyncIterator[FakeVendor]:
    vendor = FakeVendor()
    vendor.answers(*script)
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0, ssl=tls)
    vendor.port = server.sockets[0].getsockname()[1]
    vendor.url = f"{'https' if tls else 'http'}://127.0.0.1:{vendor.port}"
    try:
        yield vendor
    finally:
        server.close()
        await vendor.stop()
        await server.wait_closed()


async def _released(hold: Hold, reader: asyncio.StreamReader) -> bool:
    """False if the client disconnected before the release."""
    gone = asyncio.create_task(reader.read(1))
    released = asyncio.create_task(hold.wait())
    done, left = await asyncio.wait([gone, released], return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    return released in done


async def _read(reader: asyncio.StreamReader) -> SeenRequest | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return SeenRequest(method, path, headers, body)


def _head(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} Scripted", "transfer-encoding: chunked"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _event(event: Any) -> bytes:
    name, value = event if isinstance(event, tuple) else ("", event)
    prefix = f"event: {name}\n" if name else ""
    return f"{prefix}data: ".encode() + _json(value) + b"\n\n"


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair can only be sent as an escape.
        return json.dumps(value).encode()
