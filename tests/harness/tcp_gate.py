"""A TCP relay in front of a real server, which can be closed and opened again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from harness.ports import free_port


class TcpGate:
    """When shut, it refuses connections and cuts the existing ones; the port stays the same."""

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._relays: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def shut(self) -> None:
        if self._server is not None:
            # A closed server drops what it has accepted in the same iteration of the loop, and
            # leaves it open: accept no more, and let that iteration end.
            for socket in self._server.sockets:
                asyncio.get_running_loop().remove_reader(socket.fileno())
            await asyncio.sleep(0)
            self._server.close()
            self._server = None
        while self._relays:
            # Repeatedly: a connection may be about to be made.
            for writer in list(self._writers):
                writer.transport.abort()
            await asyncio.wait(self._relays, timeout=0.01)

    def target(self) -> int:
        """The port that the next connection is forwarded to."""
        return self._target_port

    async def ask(self, near: asyncio.StreamReader, far: asyncio.StreamWriter) -> None:
        """Forward data from the client."""
        await copy(near, far)

    async def answer(self, far: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        """Forward data from the server."""
        await copy(far, near)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:
            # It was shut while this connection was being made.
            writer.transport.abort()
            return
        relay = asyncio.create_task(self._relay(reader, writer))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = {writer}
        self._writers |= pair
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target())
            pair.add(far_writer)
            self._writers |= pair
            await asyncio.gather(self.ask(reader, far_writer), self.answer(far_reader, writer))
        except OSError:
            # Nothing listens there: the caller is refused as well.
            writer.transport.abort()
        finally:
            self._writers -= pair
            for one in pair:
                one.close()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward all data, and then the end."""
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def tcp_gate(target_port: int) -> AsyncIterator[TcpGate]:
    gate = TcpGate(target_port)
    await gate.open()
    try:
        yield gate
    finally:
        await gate.shut()
