"""The address of the server, as a program gives it."""

import pytest

from promptops.transport import ServerAddress


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "ws://x",
        "ftp://x",
        "http://",
        "http://x?a=b",
        "http://u:p@x",
        "http://x:no",
        "http://x:0",
        "http://a..b",
        "http://a b",
        "http://" + "a" * 64,
        "http://\ud800",
    ],
)
def test_an_invalid_address(url: str) -> None:
    with pytest.raises(ValueError, match=r"address must look like|Port could not"):
        ServerAddress.parse(url)


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1:8080", ""),
        ("http://[::1]:8080/", "[::1]:8080", ""),
        ("https://prompts.example", "prompts.example:443", ""),
        ("http://prompts.example/ops/", "prompts.example:80", "/ops"),
        ("http://bücher.example/a%20é", "xn--bcher-kva.example:80", "/a%20%C3%A9"),
    ],
)
def test_addresses(url: str, host: str, path: str) -> None:
    address = ServerAddress.parse(url)
    assert (address.host_header, address.path) == (host, path)
