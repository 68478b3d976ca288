from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from promptops_flows.processes.children import engine_spec, inherited, prefect_server_spec

SECRET = "admin:a-secret"


def test_the_specifications_do_not_load_prefect() -> None:
    code = "import sys, promptops_flows.processes.children; sys.exit('prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_server_gets_its_address_and_password(tmp_path: Path) -> None:
    spec = prefect_server_spec(data=tmp_path, host="127.0.0.1", port=4203, auth=SECRET)
    assert spec.argv == (sys.executable, "-m", "promptops_flows.prefect_server")
    assert spec.env["PREFECT_SERVER_API_PORT"] == "4203"
    assert spec.env["PREFECT_SERVER_API_AUTH_STRING"] == SECRET
    assert spec.env["PREFECT_SERVER_UI_API_URL"] == "http://127.0.0.1:4203/api"
    assert not any("a-secret" in argument for argument in spec.argv)


def test_prefect_writes_only_to_the_data_folder(tmp_path: Path) -> None:
    spec = prefect_server_spec(data=tmp_path, host="::1", port=4203, auth=SECRET)
    assert spec.env["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert (
        str(tmp_path / "prefect" / "prefect.db")
        in (spec.env["PREFECT_SERVER_DATABASE_CONNECTION_URL"])
    )
    assert spec.env["PREFECT_SERVER_UI_API_URL"] == "http://[::1]:4203/api"


def test_the_engine_gets_its_socket_and_prefects_address(tmp_path: Path) -> None:
    spec = engine_spec(
        socket=tmp_path / "engine.sock",
        instance="019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d",
        data=tmp_path,
        prefect_api_url="http://127.0.0.1:4200/api",
        prefect_auth=SECRET,
        concurrency=8,
        drain_seconds=30.0,
    )
    assert spec.argv == (sys.executable, "-m", "promptops_flows.engine")
    assert spec.env["PROMPTOPS_ENGINE_SOCKET"] == str(tmp_path / "engine.sock")
    assert spec.env["PROMPTOPS_ENGINE_ID"] == "1e2f3a4b5c6d"
    assert spec.env["PROMPTOPS_ENGINE_CONCURRENCY"] == "8"
    assert spec.env["PROMPTOPS_ENGINE_DRAIN_SECONDS"] == "30"
    assert spec.env["PREFECT_API_AUTH_STRING"] == SECRET
    assert spec.env["PREFECT_LOGGING_TO_API_ENABLED"] == "false"
    assert (spec.env["PROMPTOPS_PROVIDER_HOSTS"], spec.env["PROMPTOPS_ENV"]) == ("", "production")


def test_no_child_inherits_a_secret_of_the_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {
        "PROMPTOPS_SECRET_KEY": SECRET,
        "PROMPTOPS_TOKEN": SECRET,
        "PROMPTOPS_ADMIN_PASSWORD": SECRET,
        "PROMPTOPS_DATABASE_URL": SECRET,
        "promptops_token": SECRET,
        "PGPASSWORD": SECRET,
        "PREFECT_API_AUTH_STRING": SECRET,
        "PREFECT_API_KEY": SECRET,
    }
    passed = {"PATH": "/bin", "OTEL_SERVICE_NAME": "x", "PROMPTOPS_TRACE_CONTENT": "true"}
    assert inherited({**secrets, **passed}) == passed
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    server = prefect_server_spec(data=tmp_path, host="::1", port=4203, auth="own:login")
    assert SECRET not in server.env.values()
    engine = engine_spec(
        socket=tmp_path / "engine.sock",
        instance="i",
        data=tmp_path,
        prefect_api_url="http://127.0.0.1:4200/api",
        prefect_auth=None,
        concurrency=1,
        drain_seconds=1,
    )
    # Without these it could not call Prefect.
    logins = [name for name, value in engine.env.items() if value == SECRET]
    assert logins == ["PREFECT_API_AUTH_STRING", "PREFECT_API_KEY"]


def test_the_engine_gets_the_address_rules(tmp_path: Path) -> None:
    spec = engine_spec(
        socket=tmp_path / "engine.sock",
        instance="i",
        data=tmp_path,
        prefect_api_url="http://127.0.0.1:4200/api",
        prefect_auth=None,
        concurrency=1,
        drain_seconds=1,
        provider_hosts="llm.example.org",
        tool_hosts="api.example.org",
        development=True,
    )
    assert spec.env["PROMPTOPS_PROVIDER_HOSTS"] == "llm.example.org"
    assert spec.env["PROMPTOPS_TOOL_HOSTS"] == "api.example.org"
    assert spec.env["PROMPTOPS_ENV"] == "development"


def test_a_foreign_prefect_keeps_the_parents_own_login(tmp_path: Path) -> None:
    spec = engine_spec(
        socket=tmp_path / "engine.sock",
        instance="019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d",
        data=tmp_path,
        prefect_api_url="https://prefect.example/api",
        prefect_auth=None,
        concurrency=8,
        drain_seconds=0.5,
    )
    assert "PREFECT_API_AUTH_STRING" not in spec.env
    assert spec.env["PROMPTOPS_ENGINE_DRAIN_SECONDS"] == "0.5"


def test_a_proxy_of_the_environment_is_not_used_for_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "example.org")
    spec = engine_spec(
        socket=tmp_path / "engine.sock",
        data=tmp_path,
        prefect_api_url="http://127.0.0.1:4200/api",
        prefect_auth=None,
        instance="i",
        concurrency=1,
        drain_seconds=1,
    )
    assert spec.env["NO_PROXY"] == "example.org,127.0.0.1,localhost,::1"


def test_without_a_retention_prefect_keeps_its_runs(tmp_path: Path) -> None:
    spec = prefect_server_spec(data=tmp_path, host="::1", port=4203, auth=SECRET)
    assert not [name for name in spec.env if "VACUUM" in name or "RETENTION" in name]


def test_events_are_never_kept_longer_than_runs_or_than_prefect_does(tmp_path: Path) -> None:
    for days, events in ((3, "P3D"), (90, "P7D")):
        spec = prefect_server_spec(
            data=tmp_path, host="::1", port=4203, auth=SECRET, keep_days=days
        )
        assert spec.env["PREFECT_SERVER_EVENTS_RETENTION_PERIOD"] == events
        vacuum = "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD"
        assert spec.env[vacuum] == str(days * 86_400)
