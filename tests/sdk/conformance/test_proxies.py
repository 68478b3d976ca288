"""Each SDK uses the HTTP proxy of the environment, in the same way."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.http_proxy import HttpProxy
from harness.scenario_server import ScenarioServer
from harness.sdk_drivers import ALL_SDKS, COMMANDS, Driver, missing, running_driver

# Only the proxy can resolve this name.
HOST = "prompts.example.invalid"
LOGIN = "http://me:s3%40cret@"
PROMPT = {"key": "greeting", "version": "v1", "env": "prod", "model": "", "content": "one"}
NO_VARIABLES = dict.fromkeys(["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy"], "")

pytestmark = pytest.mark.parametrize("sdk", COMMANDS)


@pytest.fixture(autouse=True)
def _built(sdk: str) -> None:
    lacking = missing(sdk)
    if lacking is not None and os.environ.get(ALL_SDKS):
        pytest.fail(lacking)
    if lacking is not None:
        pytest.skip(lacking)


Serve = Callable[..., ScenarioServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[ScenarioServer] = []

    def start(tls: ssl.SSLContext | None = None) -> ScenarioServer:
        servers.append(ScenarioServer(tls))
        servers[-1].prompts["greeting"] = PROMPT
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        f" -keyout {key} -out {certificate} -subj /CN={HOST} -addext subjectAltName=DNS:{HOST}",
        shell=True,
        check=True,
        capture_output=True,
    )
    return key, certificate


def trusting(sdk: str, certificate: Path) -> dict[str, str]:
    """The variables that make the driver trust this certificate."""
    if sdk == "node":
        return {"NODE_EXTRA_CA_CERTS": str(certificate)}
    if sdk != "java":
        return {"SSL_CERT_FILE": str(certificate)}
    store = certificate.with_suffix(".p12")
    importing = f"keytool -importcert -noprompt -storepass changeit -file {certificate}"
    subprocess.run(
        f"{importing} -keystore {store} -storetype PKCS12",
        shell=True,
        check=True,
        capture_output=True,
    )
    options = f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword=changeit"
    return {"JAVA_TOOL_OPTIONS": options}


def use(driver: Driver, url: str) -> None:
    """A fetch, a watch, and a change with its notification."""
    new = {"op": "new", "server": url, "namespace": "prod", "token": "t", "app": "conformance"}
    assert driver.ask({**new, "options": {"timeout": 10}}) == {"ok": True}
    answer = driver.ask({"op": "get", "key": "greeting"})
    assert answer["ok"]["source"] == "server", answer
    assert driver.ask({"op": "watch"}) == {"ok": True}
    events = driver.ask({"op": "take_events", "count": 1, "seconds": 10})
    assert events == {"ok": [{"event": "connect"}]}


def close(driver: Driver) -> None:
    assert driver.ask({"op": "close"}) == {"ok": True}


def new_client(url: str) -> dict[str, Any]:
    return {
        "op": "new",
        "server": url,
        "namespace": "prod",
        "token": "t",
        "app": "a",
        "options": {},
    }


def test_an_http_server(sdk: str, serve: Serve) -> None:
    server = serve()
    proxy = HttpProxy(server.port, "me:s3@cret")
    try:
        variables = {**NO_VARIABLES, "HTTP_PROXY": LOGIN + proxy.authority}
        with running_driver(sdk, variables) as driver:
            use(driver, f"http://{HOST}:8080")
            close(driver)
    finally:
        proxy.close()
    # Like curl: the proxy forwards requests, and makes a tunnel for the WebSocket.
    assert proxy.asked[0].startswith(f"GET http://{HOST}:8080/api/sdk/prompts/greeting?")
    assert f"CONNECT {HOST}:8080 HTTP/1.1" in proxy.asked
    received = [watcher.headers for watcher in server.watchers]
    received += [fetch["headers"] for fetch in server.fetched("greeting")]
    assert received
    assert all("proxy-authorization" not in headers for headers in received)


def test_an_https_server(sdk: str, serve: Serve, certificate: tuple[Path, Path]) -> None:
    key, chain = certificate
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    proxy = HttpProxy(serve(tls).port, "me:s3@cret")
    try:
        variables = {**NO_VARIABLES, "HTTPS_PROXY": LOGIN + proxy.authority}
        with running_driver(sdk, {**variables, **trusting(sdk, chain)}) as driver:
            use(driver, f"https://{HOST}")
            close(driver)
    finally:
        proxy.close()
    assert set(proxy.asked) == {f"CONNECT {HOST}:443 HTTP/1.1"}


def test_no_proxy(sdk: str, serve: Serve) -> None:
    server = serve()
    proxy = HttpProxy(server.port)
    try:
        variables = {**NO_VARIABLES, "HTTP_PROXY": proxy.authority, "NO_PROXY": "h, 127.0.0.0/8"}
        with running_driver(sdk, variables) as driver:
            use(driver, f"http://127.0.0.1:{server.port}")
            close(driver)
    finally:
        proxy.close()
    assert proxy.asked == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_wrong_password_is_reported_but_not_shown(sdk: str, scheme: str, serve: Serve) -> None:
    proxy = HttpProxy(serve().port, "me:another")
    try:
        variables = {**NO_VARIABLES, f"{scheme.upper()}_PROXY": LOGIN + proxy.authority}
        with running_driver(sdk, variables) as driver:
            assert driver.ask(new_client(f"{scheme}://{HOST}")) == {"ok": True}
            answer = driver.ask({"op": "get", "key": "greeting"})
            close(driver)
    finally:
        proxy.close()
    assert answer["error"] == "unreachable", answer
    assert f"***@{proxy.authority}" in answer["message"]
    assert "407; check its user and password" in answer["message"]
    assert "s3" not in answer["message"]


def test_a_proxy_of_another_kind_is_refused(sdk: str) -> None:
    with running_driver(sdk, {**NO_VARIABLES, "HTTP_PROXY": "socks5://me:s3cret@h"}) as driver:
        answer = driver.ask(new_client(f"http://{HOST}"))
    message = "HTTP_PROXY must look like http://proxy:3128, not 'socks5://***@h'"
    assert answer == {"error": "invalid", "message": message}
