"""Listen addresses: parse `host:port`, open the sockets, and group client addresses by customer."""

import ipaddress
import socket
from dataclasses import dataclass
from typing import Self

LOOPBACK_HOSTS = ("127.0.0.1", "::1")
ALL_HOSTS = ("0.0.0.0", "::")  # noqa: S104  what an address without a host asks for
# A provider assigns each customer at least such a network, so further addresses in it cost nothing.
IPV6_NETWORK = 64


@dataclass(frozen=True)
class ListenAddress:
    """A parsed address; `host` is None if only a port was given (`:8080`)."""

    host: str | None
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `:8080`, `127.0.0.1:8080`, `[::1]:8080` or `name:8080`.

        Raises ValueError with a sentence that describes the expected form.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"address {text!r} is not of the form host:port or :port")
        return cls(host.removeprefix("[").removesuffix("]") or None, int(port))

    def hosts(self, *, loopback_only: bool) -> tuple[str, ...]:
        """Return the hosts to bind; `loopback_only` applies only without a host."""
        if self.host is not None:
            return (self.host,)
        return LOOPBACK_HOSTS if loopback_only else ALL_HOSTS


def open_sockets(hosts: tuple[str, ...], port: int) -> list[socket.socket]:
    """Return listening sockets for `hosts`, all on one port (0 picks a free one).

    Raises OSError if the port is taken, or if no host could be bound. A machine without IPv6 gets
    only the IPv4 socket.
    """
    sockets: list[socket.socket] = []
    for host in hosts:
        try:
            bound = _bind(host, port)
        except OSError:
            if host in ("::", "::1") and sockets:
                continue
            for listener in sockets:
                listener.close()
            raise
        port = bound.getsockname()[1]
        sockets.append(bound)
    return sockets


def _bind(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    # If a socket doesn't name its protocol, asyncio doesn't detect TCP and leaves Nagle's algorithm
    # on: the body of a response would wait for the acknowledgement of its head.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def network(address: str) -> str:
    """Return an IPv4 address unchanged, and for an IPv6 address the customer's network."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK), strict=False))
