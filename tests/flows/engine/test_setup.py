"""Settings and socket of the engine: errors before it starts."""

import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptops_flows.engine.settings import EngineSettings, SettingsError, read_settings
from promptops_flows.engine.socket_file import SocketInUseError, listen_on
from promptops_providers.transport.address_policy import AddressPolicy, HostPattern

NEEDED = {
    "PROMPTOPS_ENGINE_SOCKET": "/run/x.sock",
    "PROMPTOPS_ENGINE_ID": "a1b2",
    "PREFECT_API_URL": "http://127.0.0.1:4200/api",
}


@pytest.fixture
def path() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sock-"))
    yield folder / "run" / "engine.sock"
    shutil.rmtree(folder)


def test_defaults() -> None:
    assert read_settings(NEEDED) == EngineSettings(
        Path("/run/x.sock"),
        "a1b2",
        16,
        30.0,
        AddressPolicy(allow_loopback=True),
        AddressPolicy.of_tools(allow_loopback=True),
    )


def test_everything_given() -> None:
    settings = {
        "PROMPTOPS_ENGINE_CONCURRENCY": "4",
        "PROMPTOPS_ENGINE_DRAIN_SECONDS": "1.5",
        "PROMPTOPS_PROVIDER_HOSTS": "*.example.org:8443, llm",
        "PROMPTOPS_TOOL_HOSTS": "api.example.org",
        "PROMPTOPS_ENV": "production",
    }
    hosts = (HostPattern("*.example.org", 8443), HostPattern("llm"))
    assert read_settings({**NEEDED, **settings}) == EngineSettings(
        Path("/run/x.sock"),
        "a1b2",
        4,
        1.5,
        AddressPolicy(hosts),
        AddressPolicy.of_tools("api.example.org"),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROMPTOPS_ENGINE_SOCKET", ""),
        ("PROMPTOPS_ENGINE_ID", ""),
        ("PREFECT_API_URL", ""),
        ("PROMPTOPS_ENGINE_CONCURRENCY", "0"),
        ("PROMPTOPS_ENGINE_CONCURRENCY", "many"),
        ("PROMPTOPS_ENGINE_DRAIN_SECONDS", "-1"),
        ("PROMPTOPS_ENGINE_DRAIN_SECONDS", "nan"),
        ("PROMPTOPS_PROVIDER_HOSTS", "http://example.org"),
        ("PROMPTOPS_TOOL_HOSTS", "http://example.org"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings({**NEEDED, name: value})


def test_the_socket_is_for_this_user_only(path: Path) -> None:
    with listen_on(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_socket_left_by_a_dead_engine_is_replaced(path: Path) -> None:
    listen_on(path).close()
    assert path.is_socket()
    with listen_on(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_living_engine_is_not_replaced(path: Path) -> None:
    with listen_on(path), pytest.raises(SocketInUseError, match="another engine listens"):
        listen_on(path)


def test_a_file_that_is_not_a_socket_is_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(SocketInUseError, match="is not a socket"):
        listen_on(path)
    assert path.read_text() == "precious"


def test_a_path_that_is_too_long_is_an_os_error(path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        listen_on(path.parent / ("x" * 150))
