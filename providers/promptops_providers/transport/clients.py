"""HTTP that keeps to an `AddressPolicy`: the connection goes to the very address that was judged.

A check before the request is not enough, because a name may resolve to something else a moment
later. So it is made where the connection is: the host is resolved once, each address is judged, and
one of them is connected to. TLS and the Host header still go by the name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpcore
import httpx

from promptops_providers.transport.address_policy import AddressPolicy, literal_address

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
SocketOption = (
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
)

_MAX_CONNECTIONS = 1000
_MAX_IDLE_CONNECTIONS = 100
_IDLE_SECONDS = 30.0
_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.ReadTimeout, httpx.ReadTimeout),
    (httpcore.WriteTimeout, httpx.WriteTimeout),
    (httpcore.PoolTimeout, httpx.PoolTimeout),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.ReadError, httpx.ReadError),
    (httpcore.WriteError, httpx.WriteError),
    (httpcore.RemoteProtocolError, httpx.RemoteProtocolError),
    (httpcore.LocalProtocolError, httpx.LocalProtocolError),
    (httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol),
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds. `first_token` runs from the request to the first piece of a streamed answer,
    `whole` to the end of any answer; time that the reader takes between pieces does not count."""

    connect: float = 5.0
    first_token: float = 120.0
    whole: float = 600.0


def guarded_client(
    policy: AddressPolicy, timeouts: Timeouts, *, resolve: Resolve | None = None
) -> httpx.AsyncClient:
    """A pooled client for the life of the process, which calls only what the policy allows.

    A forbidden address raises `ForbiddenAddress`. Redirects are not followed and proxies of the
    environment not used: either would lead past the policy. Reading is not limited in time here,
    the caller sets its own limit.
    """
    return httpx.AsyncClient(
        transport=GuardedTransport(policy, resolve=resolve),
        timeout=httpx.Timeout(None, connect=timeouts.connect),
        follow_redirects=False,
        trust_env=False,
        # One for all workspaces: what a server sets in the call of one is not sent along with
        # another's.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )


class GuardedTransport(httpx.AsyncBaseTransport):
    """The transport of `guarded_client`. SSL_CERT_FILE and SSL_CERT_DIR are honoured."""

    def __init__(self, policy: AddressPolicy, *, resolve: Resolve | None = None) -> None:
        self._policy = policy
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=_MAX_CONNECTIONS,
            max_keepalive_connections=_MAX_IDLE_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=_GuardedBackend(policy, resolve or resolve_by_system),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._policy.check_url(request.url)
        assert isinstance(request.stream, httpx.AsyncByteStream)
        with _translated():
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


async def resolve_by_system(host: str, port: int) -> list[str]:
    """The addresses of the host, best first; raises OSError."""
    addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in addresses))


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        with _translated():
            await self._response.aclose()


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, policy: AddressPolicy, resolve: Resolve) -> None:
        self._policy = policy
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  as httpcore calls it
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        deadline = None if timeout is None else time.monotonic() + timeout
        addresses = await self._judged(host, port, timeout)
        for index, address in enumerate(addresses):
            # Its share of the time: an address that never answers leaves some to the next one.
            share = (
                None
                if deadline is None
                else max(0.0, deadline - time.monotonic()) / (len(addresses) - index)
            )
            try:
                return await self._network.connect_tcp(
                    address, port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if address == addresses[-1]:
                    raise
        raise httpcore.ConnectError(f"host {host} has no address")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)

    async def _judged(self, host: str, port: int, seconds: float | None) -> list[str]:
        """All addresses of the host, each allowed; one that is not refuses the host."""
        trust = self._policy.trust(host, port)
        literal = literal_address(host)
        if literal is not None:
            addresses: Sequence[str] = [str(literal)]
        else:
            try:
                async with asyncio.timeout(seconds):
                    addresses = await self._resolve(host, port)
            except TimeoutError as error:
                raise httpcore.ConnectTimeout(f"host {host} was not resolved in time") from error
            except (OSError, UnicodeError) as error:
                raise httpcore.ConnectError(f"host {host} could not be resolved") from error
        for address in addresses:
            self._policy.check_address(host, ipaddress.ip_address(address), trust)
        return list(addresses)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        for foreign, own in _ERRORS:
            if isinstance(error, foreign):
                raise own(str(error)) from error
        raise
