"""GET requests over connections that stay open and are reused, for asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from promptops.aio.cancellation import within
from promptops.aio.streams import Connection, Route, translated_errors
from promptops.errors import ClientClosedError
from promptops.http import STALE, IdleConnections, get_request, reading_proxy
from promptops.http_response import Response, ResponseReader


class AsyncHttpClient:
    """Sends GET requests with the bearer token; for the tasks of one loop."""

    def __init__(self, route: Route, token: str) -> None:
        self._route = route
        self._token = token
        self._idle: IdleConnections[Connection] = IdleConnections(
            Connection.is_quiet, Connection.drop
        )
        self._closed = False
        self._end_of_loop: AsyncGenerator[None, None] | None = None

    async def get(self, path: str, timeout: float, etag: str | None = None) -> Response:
        """Return the response to ``GET path``, with any status; raises the errors of
        `HttpClient.get`."""
        request = get_request(self._route.address, self._route.proxy, self._token, path, etag)
        with translated_errors(self._route):
            return await within(timeout, self._get(request))

    async def close(self) -> None:
        """Close the idle connections; none is used any more."""
        self._closed = True
        for connection in self._idle.close():
            await connection.close()
        if self._end_of_loop is not None:
            await self._end_of_loop.aclose()

    def drop(self) -> None:
        """Close the idle connections soon; none is kept any more."""
        self._closed = True
        for connection in self._idle.close():
            connection.drop()

    async def _drop_at_end_of_loop(self) -> AsyncGenerator[None, None]:
        """A loop that shuts down runs only its tasks and the end of asynchronous generators."""
        try:
            yield
        finally:
            self.drop()

    async def _get(self, request: bytes) -> Response:
        if self._closed:
            raise ClientClosedError
        if self._end_of_loop is None:
            self._end_of_loop = self._drop_at_end_of_loop()
            await anext(self._end_of_loop)
        idle_connection = self._idle.take()
        if idle_connection is not None:
            try:
                return await self._exchange(idle_connection, request)
            except STALE:
                pass
        return await self._exchange(await Connection.open(self._route), request)

    async def _exchange(self, connection: Connection, request: bytes) -> Response:
        reader = ResponseReader()
        try:
            await connection.send(request)
            while (response := reader.feed(await connection.reader.read(65536))) is None:
                pass
            if proxy := reading_proxy(self._route.address, self._route.proxy):
                proxy.check(response.status)
            return response
        finally:
            if reader.reusable:
                self._idle.put(connection)
            else:
                connection.drop()
