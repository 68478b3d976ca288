"""The embedded server from the point of view of a user, a browser and the engine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

import harness
from harness.ports import free_port
from harness.prefect_server import PrefectServer, end, spawn, wait_until_healthy
from harness.processes import eventually, is_alive
from promptops_flows.prefect_server import template
from promptops_flows.processes.children import prefect_server_spec


@pytest.mark.parametrize("auth", [None, ("admin", "wrong"), ("nobody", "test-password")])
def test_without_the_password_the_api_is_closed(
    prefect_server: PrefectServer, auth: tuple[str, str] | None
) -> None:
    answer = httpx.post(f"{prefect_server.api_url}/flows/filter", json={}, auth=auth)
    assert answer.status_code == 401


def test_with_the_password_the_api_is_open(prefect_server: PrefectServer) -> None:
    with prefect_server.client() as client:
        assert client.post("flows/filter", json={}).status_code == 200


def test_it_refuses_to_start_without_a_password(tmp_path: Path) -> None:
    env = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    argv = [sys.executable, "-m", "promptops_flows.prefect_server"]
    ended = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "PREFECT_SERVER_API_AUTH_STRING" in ended.stderr


def test_cors_refuses_other_origins(prefect_server: PrefectServer) -> None:
    own = prefect_server.api_url.removesuffix("/api")
    for origin, allowed in (("https://evil.example", None), (own, own)):
        answer = httpx.get(f"{prefect_server.api_url}/health", headers={"Origin": origin})
        assert answer.headers.get("access-control-allow-origin") == allowed


@pytest.mark.parametrize("path", ["/", "/v2/runs/flow-run/0", "/runs/flow-run/0"])
def test_the_ui_and_its_deep_links_are_served(prefect_server: PrefectServer, path: str) -> None:
    root = prefect_server.api_url.removesuffix("/api")
    with httpx.Client(base_url=root, follow_redirects=True) as client:
        page = client.get(path, headers={"Accept": "text/html"})
        assert page.status_code == 200
        script = re.search(r'src="([^"]+\.js)"', page.text)
        assert script is not None
        assert "javascript" in client.get(script[1]).headers["content-type"]
        assert client.get("/ui-settings").json()["auth"] == "BASIC"


@pytest.mark.trial
def test_forty_runs_at_once_all_succeed(prefect_server: PrefectServer, tmp_path: Path) -> None:
    outcome = run_at_once(40, prefect_server, tmp_path)
    assert outcome == {"failed": [], "outputs": [f"{number}..." for number in range(40)]}
    assert "locked" not in prefect_server.log.read_text()

    # What the background services derive from the runs' events.
    with prefect_server.client() as client:
        flow_runs = {"flows": {"name": {"any_": ["concurrent-runs"]}}}
        runs = client.post("flow_runs/filter", json=flow_runs).json()
        assert [run["state_type"] for run in runs] == ["COMPLETED"] * 40
        completed = flow_runs | {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
        eventually(lambda: client.post("task_runs/count", json=completed).json() == 120)
        eventually(lambda: client.post("events/filter", json={}).json()["total"] >= 40)


def run_at_once(count: int, server: PrefectServer, home: Path) -> dict[str, Any]:
    program = Path(harness.__file__).with_name("concurrent_flow_runs.py")
    env = {
        **os.environ,
        "PREFECT_API_URL": server.api_url,
        "PREFECT_API_AUTH_STRING": server.auth,
        "PREFECT_HOME": str(home),
        "DO_NOT_TRACK": "1",
    }
    # -P, because next to the program is harness/platform.py, which isn't the standard library's.
    argv = [sys.executable, "-P", str(program), str(count)]
    output = subprocess.run(argv, env=env, check=True, capture_output=True, text=True).stdout
    outcome: dict[str, Any] = json.loads(output.splitlines()[-1])
    return outcome


def test_the_scheduler_schedules_runs(prefect_server: PrefectServer) -> None:
    with prefect_server.client() as client:
        flow_id = client.post("flows/", json={"name": "planned"}).json()["id"]
        schedule = {"schedule": {"interval": 3600}, "active": True}
        body = {"name": "hourly", "flow_id": flow_id, "schedules": [schedule]}
        client.post("deployments/", json=body).raise_for_status()
        planned = {
            "flows": {"id": {"any_": [flow_id]}},
            "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
        }
        eventually(lambda: client.post("flow_runs/count", json=planned).json() >= 3)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads Linux's /proc")
def test_it_is_one_process(prefect_server: PrefectServer) -> None:
    threads = Path(f"/proc/{prefect_server.pid}/task").iterdir()
    assert not "".join((thread / "children").read_text() for thread in threads)


PARENT = """
import sys, time
from pathlib import Path
from harness.prefect_server import spawn
from promptops_flows.processes.children import prefect_server_spec

data, port = Path(sys.argv[1]), int(sys.argv[2])
spec = prefect_server_spec(data=data, host="127.0.0.1", port=port, auth="admin:pw")
print(spawn(spec, data / "log").pid, flush=True)
time.sleep(600)
"""


def test_the_server_ends_with_a_killed_parent(tmp_path: Path) -> None:
    port = free_port()
    env = {**os.environ, "PYTHONPATH": str(Path(harness.__file__).parents[1])}
    argv = [sys.executable, "-c", PARENT, str(tmp_path), str(port)]
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        eventually(lambda: is_healthy(port), seconds=60)
        parent.kill()
    eventually(lambda: not is_alive(pid))
    assert not is_healthy(port)


def is_healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/health").is_success
    except httpx.TransportError:
        return False


@pytest.mark.trial
def test_an_older_database_is_migrated_and_keeps_its_rows(tmp_path: Path) -> None:
    port, auth = free_port(), "admin:pw"
    spec = prefect_server_spec(data=tmp_path, host="127.0.0.1", port=port, auth=auth)
    database = tmp_path / "prefect" / "prefect.db"
    template.install(database)
    newest = version(database)
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO flow (id, name) VALUES (hex(randomblob(16)), 'kept')")
    downgrade = ["prefect", "server", "database", "downgrade", "-r", "-1", "--yes"]
    env = {**os.environ, **spec.env}
    subprocess.run([sys.executable, "-m", *downgrade], env=env, check=True, capture_output=True)
    assert version(database) != newest

    process = spawn(spec, tmp_path / "log")
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}/api", process, tmp_path / "log")
        assert version(database) == newest
        with contextlib.closing(sqlite3.connect(database)) as connection:
            assert connection.execute("SELECT name FROM flow").fetchall() == [("kept",)]
    finally:
        end(process)


def version(database: Path) -> str:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
