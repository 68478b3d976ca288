from __future__ import annotations

import socket

import pytest

from promptops_platform.supervision.ports import reserve_port


def port_of(reserved: socket.socket) -> int:
    return int(reserved.getsockname()[1])


def test_a_free_port_is_taken_as_asked() -> None:
    with reserve_port(0) as first:
        port = port_of(first)
    with reserve_port(port) as second:
        assert port_of(second) == port


def test_a_reserved_port_is_nobody_elses() -> None:
    with reserve_port(0) as first, reserve_port(port_of(first)) as second:
        assert port_of(second) != port_of(first)
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", port_of(first)), reuse_port=False)


def test_a_foreign_host_is_an_error() -> None:
    with pytest.raises(OSError, match="address"):
        reserve_port(0, "192.0.2.1")
