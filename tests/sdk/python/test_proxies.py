"""Fetches and the watch use the HTTP proxy of the environment."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.http_proxy import HttpProxy
from harness.processes import eventually
from harness.sdk_server import SdkServer, event, scripted
from promptops import (
    AsyncPromptOpsClient,
    PromptOpsClient,
    ProtocolError,
    ServerUnreachableError,
)
from promptops.transport import ServerAddress

CONFORMANCE = Path(__file__).parents[3] / "sdk" / "conformance" / "proxies.json"
CASES: list[dict[str, Any]] = json.loads(CONFORMANCE.read_text("utf-8"))["cases"]
VARIABLES = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"]
# Only the proxy can resolve this name.
SERVER = "http://prompts.example.invalid:8080"
SECURE = "https://localhost:1"


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*VARIABLES, "REQUEST_METHOD"]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def proxy(server: SdkServer) -> Iterator[HttpProxy]:
    running = HttpProxy(server.port)
    yield running
    running.close()


@pytest.fixture
def secure_server(certificate: tuple[Path, Path]) -> Iterator[SdkServer]:
    key, chain = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    running = SdkServer(context)
    yield running
    running.stop()


def test_fetch_and_watch(
    server: SdkServer, proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.authority}")
    server.put("greeting", "one")
    with PromptOpsClient(SERVER) as client:
        assert client.render("greeting") == "one"
        client.watch()
        server.put("greeting", "two")
        watcher = server.watcher()
        watcher.tell(event("greeting"))
        eventually(lambda: client.render("greeting") == "two")
        server.drop_connections()
    assert proxy.asked[0].startswith(f"GET {SERVER}/api/sdk/prompts/greeting?env=prod")
    assert "CONNECT prompts.example.invalid:8080 HTTP/1.1" in proxy.asked


async def test_fetch_and_watch_for_asyncio(
    server: SdkServer, proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy.authority)
    server.put("greeting", "one")
    async with AsyncPromptOpsClient(SERVER) as client:
        assert await client.render("greeting") == "one"
        await client.watch()
        server.put("greeting", "two")
        watcher = await asyncio.to_thread(server.watcher)
        watcher.tell(event("greeting"))
        while await client.render("greeting") != "two":
            await asyncio.sleep(0)
        server.drop_connections()
    assert proxy.asked[0].startswith(f"GET {SERVER}/api/sdk/prompts/greeting?env=prod")
    assert "CONNECT prompts.example.invalid:8080 HTTP/1.1" in proxy.asked


def test_a_secure_server(
    secure_server: SdkServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = HttpProxy(secure_server.port)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.authority}")
    trusted = ssl.create_default_context(cafile=str(certificate[1]))
    secure_server.put("greeting", "one")
    with PromptOpsClient(SECURE, ssl_context=trusted) as client:
        assert client.render("greeting") == "one"
        client.watch()
        secure_server.watcher()
        secure_server.drop_connections()
    assert set(proxy.asked) == {"CONNECT localhost:1 HTTP/1.1"}
    proxy.close()


async def test_a_secure_server_for_asyncio(
    secure_server: SdkServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = HttpProxy(secure_server.port, "me:p@ss word")
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:p%40ss%20word@{proxy.authority}")
    trusted = ssl.create_default_context(cafile=str(certificate[1]))
    secure_server.put("greeting", "one")
    async with AsyncPromptOpsClient(SECURE, ssl_context=trusted) as client:
        assert await client.render("greeting") == "one"
        await client.watch()
        await asyncio.to_thread(secure_server.watcher)
        secure_server.drop_connections()
    assert set(proxy.asked) == {"CONNECT localhost:1 HTTP/1.1"}
    await asyncio.to_thread(proxy.close)


def test_credentials(server: SdkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = HttpProxy(server.port, "me:secret")
    server.put("greeting", "one")
    monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@{proxy.authority}")
    with PromptOpsClient(SERVER) as client:
        assert client.render("greeting") == "one"
        client.watch()
        server.watcher()
        server.drop_connections()
    assert all("proxy-authorization" not in request.headers for request in server.requests)
    proxy.close()


def test_no_proxy(server: SdkServer, proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.authority}")
    monkeypatch.setenv("NO_PROXY", "example.com, localhost")
    server.put("greeting", "one")
    with PromptOpsClient(server.url) as client:
        assert client.render("greeting") == "one"
        client.watch()
        server.watcher()
        server.drop_connections()
    assert proxy.asked == []


@pytest.mark.parametrize("secure", [False, True])
async def test_a_missing_proxy(secure: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY" if secure else "HTTP_PROXY", "http://me:secret@127.0.0.1:1")
    url = SECURE if secure else SERVER
    message = f"can't reach {url} through the proxy http://\\*\\*\\*@127.0.0.1:1: "
    with PromptOpsClient(url) as client, pytest.raises(ServerUnreachableError, match=message):
        client.get_prompt("greeting")
    async with AsyncPromptOpsClient(url) as other:
        with pytest.raises(ServerUnreachableError, match=message):
            await other.get_prompt("greeting")


@pytest.mark.parametrize(
    ("response", "error", "message"),
    [
        (b"HTTP/1.1 407 x\r\n\r\n", ServerUnreachableError, "refused: 407; check its user and"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", ServerUnreachableError, "refused: 403"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore", ProtocolError, "invalid response to CONNECT"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", ProtocolError, "invalid response to CONNECT"),
        (b"HTTP/1.1 200 " + b"x" * 70_000, ProtocolError, "invalid response to CONNECT"),
        (b"", ServerUnreachableError, "the proxy ended the connection"),
    ],
    ids=["407", "403", "more", "ssh", "long", "nothing"],
)
async def test_a_proxy_that_refuses_the_tunnel(
    response: bytes, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(response)

    with scripted(serve) as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        with PromptOpsClient(SECURE) as client, pytest.raises(error, match=message):
            client.get_prompt("greeting")
        async with AsyncPromptOpsClient(SECURE) as other:
            with pytest.raises(error, match=message):
                await other.get_prompt("greeting")


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_which_proxy(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in case["environment"].items():
        monkeypatch.setenv(name, value)
    if "refused" in case:
        with pytest.raises(ValueError, match="must look like") as caught:
            PromptOpsClient(case["server"])
        assert str(caught.value) == case["refused"]
        assert caught.value.__cause__ is None
        return
    proxy = ServerAddress.parse(case["server"]).proxy()
    assert (proxy and f"{proxy.host}:{proxy.port}") == case["proxy"]
    if "authorization" in case:
        assert proxy is not None
        assert proxy.authorization == case["authorization"]
        assert "secret" not in proxy.url
