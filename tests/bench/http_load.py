"""A lean HTTP/1.1 client for load: answers with a declared length, connections kept alive."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any, NamedTuple, cast

HOST = "127.0.0.1"
END_OF_HEAD = b"\r\n\r\n"


class Answer(NamedTuple):
    """`json` reads the body."""

    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def request(
    method: str, path: str, *, token: str, body: Any = None, if_none_match: str | None = None
) -> bytes:
    """A request as it goes over the wire, made once and sent often."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {token}",
        "Accept: application/json",
    ]
    if if_none_match is not None:
        lines.append(f"If-None-Match: {if_none_match}")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


def complete(received: bytes) -> Answer | None:
    """The answer, once all of it is there. Raises ValueError for one without a length."""
    head, separator, body = received.partition(END_OF_HEAD)
    if not separator:
        return None
    if head[9:12] == b"304":
        return Answer(304, b"")
    start = head.lower().find(b"content-length:")
    if start < 0:
        raise ValueError(f"an answer without a length: {head[:200]!r}")
    end = head.find(b"\r", start)
    length = int(head[start + 15 : end if end >= 0 else None])
    return Answer(int(head[9:12]), body) if len(body) >= length else None


class Connection(asyncio.Protocol):
    """One connection, with one request on its way at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._waiting: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        answer = complete(self._received)
        if answer is not None and self._waiting is not None:
            self._received = b""
            # Who asked may have been cancelled.
            if not self._waiting.done():
                self._waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError("closed before the answer"))

    async def send(self, sent: bytes) -> Answer:
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(sent)
        return await self._waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


@asynccontextmanager
async def connections(port: int, number: int) -> AsyncIterator[list[Connection]]:
    """Open connections, closed at the end."""
    loop = asyncio.get_running_loop()
    made = [(await loop.create_connection(Connection, HOST, port))[1] for _ in range(number)]
    try:
        yield made
    finally:
        for connection in made:
            connection.close()


async def ask(port: int, sent: bytes) -> Answer:
    """One answer on a connection of its own."""
    async with connections(port, 1) as (connection,):
        return await connection.send(sent)


async def all_at_once(port: int, requests: Sequence[bytes]) -> list[Answer | BaseException]:
    """Every request on a connection of its own, sent together."""
    async with connections(port, len(requests)) as made:
        sending = [connection.send(sent) for connection, sent in zip(made, requests, strict=True)]
        return await asyncio.gather(*sending, return_exceptions=True)


async def each_once(port: int, requests: Sequence[bytes], *, number: int) -> None:
    """Every request once, over `number` connections. Raises AssertionError for one not 200."""
    left = iter(requests)
    async with connections(port, number) as made, asyncio.TaskGroup() as group:
        for connection in made:
            group.create_task(_send_all(connection, left))


async def rate(
    port: int, requests: Sequence[bytes], *, seconds: float, number: int = 16, expected: int = 200
) -> float:
    """Answers a second, with `number` requests always on their way."""
    clock = asyncio.get_running_loop().time
    async with connections(port, number) as made:
        started = clock()
        end = started + seconds
        counts = await asyncio.gather(
            *(_count(connection, cycle(requests), end, expected) for connection in made)
        )
        return sum(counts) / (clock() - started)


async def _send_all(connection: Connection, left: Iterator[bytes]) -> None:
    for sent in left:
        _accept(await connection.send(sent))


async def _count(
    connection: Connection, requests: Iterator[bytes], end: float, expected: int
) -> int:
    clock = asyncio.get_running_loop().time
    answered = 0
    while clock() < end:
        _accept(await connection.send(next(requests)), expected)
        answered += 1
    return answered


def _accept(answer: Answer, expected: int = 200) -> None:
    assert answer.status == expected, f"{answer.status}: {answer.body[:300]!r}"
