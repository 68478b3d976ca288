"""Messages over one socket, and their errors."""

from __future__ import annotations

import asyncio

from promptops_flows.protocol.engine_protocol import EngineProtocolError, Message, decode, encode


class EngineError(Exception):
    """`reason` is one sentence, without secrets."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EngineUnavailable(EngineError):
    """The engine, or its Prefect server, can't accept a run now; nothing was executed."""


class EngineRefused(EngineError):
    """The engine will never accept this run; nothing was executed."""


class EngineLost(EngineError):
    """The connection broke during a run; the engine may still execute it."""


class EngineConnection:
    """Messages over one socket; every transmission error is `EngineLost`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, message: Message) -> Message:
        await self.send(message)
        return await self.receive()

    async def send(self, message: Message) -> None:
        # uvloop raises RuntimeError where asyncio ignores a write after the close.
        if self._writer.is_closing():
            raise EngineLost("the connection to the run engine is closed")
        try:
            self._writer.write(encode(message))
            await self._writer.drain()
        except OSError as error:
            raise EngineLost("the run engine closed the connection") from error

    async def receive(self) -> Message:
        try:
            return decode(await self._reader.readuntil(b"\n"))
        except (OSError, asyncio.IncompleteReadError) as error:
            raise EngineLost("the run engine ended before the run did") from error
        except (asyncio.LimitOverrunError, EngineProtocolError) as error:
            raise EngineLost("the run engine sent a message that can't be read") from error

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # already closed by the other side
