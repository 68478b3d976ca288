from __future__ import annotations

import socket

import pytest

from promptops_platform.supervision.ports import free_port


def test_a_free_port_is_taken_as_asked() -> None:
    port = free_port(0)
    assert free_port(port) == port


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = free_port(port)
        assert other != port
        socket.create_server(("127.0.0.1", other)).close()


def test_a_foreign_host_is_an_error() -> None:
    with pytest.raises(OSError, match="address"):
        free_port(0, "192.0.2.1")
