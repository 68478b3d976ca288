"""Tunnels through a proxy, for asyncio."""

from __future__ import annotations

import asyncio
import errno
import socket

from promptops.proxies import Proxy


async def open_tunnel(proxy: Proxy, authority: str) -> socket.socket:
    """Return a connection to ``host:port`` through the proxy.

    It is a socket, because streams can't start TLS before Python 3.11.
    """
    connected = await _connected(proxy)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_sendall(connected, proxy.tunnel_request(authority))
        received = bytearray()
        while not proxy.has_tunnel(received):
            data = await loop.sock_recv(connected, 4096)
            if not data:
                raise OSError(errno.ECONNRESET, "the proxy ended the connection")
            received += data
    except BaseException:
        connected.close()
        raise
    return connected


async def _connected(proxy: Proxy) -> socket.socket:
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    failure = OSError("the proxy has no address")
    for family, kind, protocol, _, target in addresses:
        connecting = socket.socket(family, kind, protocol)
        connecting.setblocking(False)
        try:
            await loop.sock_connect(connecting, target)
        except OSError as error:
            connecting.close()
            failure = error
        except BaseException:
            connecting.close()
            raise
        else:
            return connecting
    raise failure
