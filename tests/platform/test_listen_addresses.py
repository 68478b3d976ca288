"""Listen addresses."""

import asyncio
import socket

import pytest

from promptops_platform.listen_addresses import ListenAddress, open_sockets


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":8080", None, 8080),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("[::1]:80", "::1", 80),
        ("localhost:65535", "localhost", 65535),
    ],
)
def test_addresses_are_parsed(text: str, host: str | None, port: int) -> None:
    assert ListenAddress.parse(text) == ListenAddress(host, port)


@pytest.mark.parametrize("text", ["", "8080", "host", ":", ":x", ":-1", ":65536", ":٣"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        ListenAddress.parse(text)


def test_without_a_host_a_default_secret_means_loopback() -> None:
    address = ListenAddress.parse(":8080")
    assert address.hosts(loopback_only=True) == ("127.0.0.1", "::1")
    assert address.hosts(loopback_only=False) == ("0.0.0.0", "::")
    with_host = ListenAddress.parse("192.0.2.1:8080")
    assert with_host.hosts(loopback_only=True) == ("192.0.2.1",)


def test_both_families_share_one_port() -> None:
    opened = open_sockets(("127.0.0.1", "::1"), 0)
    assert len({listener.getsockname()[1] for listener in opened}) == 1
    for listener in opened:
        listener.close()


async def test_accepted_connections_send_at_once() -> None:
    """Else an answer's body waits 40 ms for the acknowledgement of its head."""
    opened = open_sockets(("127.0.0.1",), 0)
    no_delay: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        no_delay.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(accept, sock=opened[0]):
        reader, writer = await asyncio.open_connection(*opened[0].getsockname())
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    assert await no_delay


def test_a_taken_port_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            open_sockets(("127.0.0.1",), taken.getsockname()[1])
