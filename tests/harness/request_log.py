"""A relay in front of an HTTP server that records requests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from harness.tcp_gate import TcpGate

REQUEST_LINE = re.compile(rb"^([A-Z]+) (\S+) HTTP/1\.1\r$", re.MULTILINE)


class RequestLog(TcpGate):
    """`requests` are methods and paths, in order. A request whose first line arrives in two pieces
    is missed; no client sends such requests."""

    def __init__(self, target_port: int) -> None:
        super().__init__(target_port)
        self.requests: list[str] = []

    async def ask(self, near: asyncio.StreamReader, far: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await near.read(65_536):
                for method, path in REQUEST_LINE.findall(data):
                    self.requests.append(f"{method.decode()} {path.decode()}")
                far.write(data)
                await far.drain()
        far.close()


@asynccontextmanager
async def request_log(target_port: int) -> AsyncIterator[RequestLog]:
    log = RequestLog(target_port)
    await log.open()
    try:
        yield log
    finally:
        await log.shut()
