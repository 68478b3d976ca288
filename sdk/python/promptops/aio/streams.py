"""Connections for asyncio, and what fails on them as this SDK's errors."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterator

from promptops.aio.waiting import within
from promptops.errors import ProtocolError, RequestTimeoutError, ServerUnreachableError
from promptops.handshake import LARGEST_HEAD
from promptops.transport import SHORTEST_CONNECT_SECONDS, ServerAddress

CLOSE_SECONDS = 1.0


class Connection:
    """One connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, address: ServerAddress, tls: ssl.SSLContext | None) -> Connection:
        """Connect, and encrypt with `tls`."""
        reader, writer = await asyncio.open_connection(
            address.host,
            address.port,
            ssl=tls,
            limit=LARGEST_HEAD,
            happy_eyeballs_delay=SHORTEST_CONNECT_SECONDS,
        )
        return cls(reader, writer)

    async def send(self, data: bytes) -> None:
        """Hand it to the kernel, or to the buffer before it."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> bytes:
        """An HTTP head, with the empty line at its end."""
        try:
            return await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError as error:
            raise ProtocolError(f"the answer's head is over {LARGEST_HEAD} bytes") from error

    def is_quiet(self) -> bool:
        """Whether nothing has come that was not read yet, not even that the server has closed."""
        reading = self.reader.read(1)
        try:
            # Only what need not be waited for: no task is needed for that, nor any other turn.
            reading.send(None)
        except (StopIteration, OSError):
            return False
        reading.close()
        return not self.writer.transport.is_closing()

    def drop(self) -> None:
        """Free the socket soon, whatever the server says to that."""
        self.writer.close()

    async def close(self) -> None:
        """Free the socket."""
        self.writer.close()
        # TLS says goodbye, which a server that is gone doesn't answer.
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await within(CLOSE_SECONDS, self.writer.wait_closed())


@contextlib.contextmanager
def translated_errors(address: ServerAddress) -> Iterator[None]:
    """The border: what asyncio raises leaves as this SDK's errors."""
    try:
        yield
    # Until Python 3.11 these are two classes.
    except (TimeoutError, asyncio.TimeoutError) as error:
        raise RequestTimeoutError(f"{address.url} did not answer in time") from error
    except asyncio.IncompleteReadError as error:
        raise ServerUnreachableError("the connection broke within an answer") from error
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise ServerUnreachableError(f"can't reach {address.url}: {reason}") from error
