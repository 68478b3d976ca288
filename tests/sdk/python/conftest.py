from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.sdk_server import SdkServer
from promptops import PromptOpsClient


@pytest.fixture
def server() -> Iterator[SdkServer]:
    running = SdkServer()
    yield running
    running.stop()


@pytest.fixture
def make_client(server: SdkServer) -> Iterator[Callable[..., PromptOpsClient]]:
    """Creates clients of the server and closes them at the end; none of their threads may be
    left then."""
    clients: list[PromptOpsClient] = []

    def make(**options: object) -> PromptOpsClient:
        clients.append(PromptOpsClient(server.url, **options))  # type: ignore[arg-type]
        return clients[-1]

    yield make
    # Nothing sends close frames for this server, so the clients would wait for them.
    server.drop_connections()
    for client in clients:
        client.close()
    assert [t.name for t in threading.enumerate() if t.name.startswith("promptops")] == []


@pytest.fixture
def client(make_client: Callable[..., PromptOpsClient]) -> PromptOpsClient:
    return make_client(timeout=10.0)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        f" -keyout {key} -out {certificate} -subj /CN=localhost"
        f" -addext subjectAltName=DNS:localhost",
        shell=True,
        check=True,
        capture_output=True,
    )
    return key, certificate
