"""Old runs are deleted from Prefect's database, and the file shrinks."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from harness.ports import free_port
from harness.prefect_history import PrefectHistory
from harness.prefect_server import end, spawn, wait_until_healthy
from harness.processes import eventually
from promptops_flows.prefect_server.shrinking import make_shrinkable, shrink
from promptops_flows.processes.children import prefect_server_spec

pytestmark = pytest.mark.trial

RUNS, KEPT = 120, 20
AUTH = ("admin", "test-password")


def test_a_file_shrinks_after_deletions(tmp_path: Path) -> None:
    database = tmp_path / "some.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE texts (text)")
    make_shrinkable(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.executemany("INSERT INTO texts VALUES (?)", [("x" * 4000,)] * 3000)
        # A reader that has the file open, like Prefect's connections.
        with closing(sqlite3.connect(database, isolation_level=None)) as reader:
            reader.execute("SELECT count(*) FROM texts").fetchone()
            full = database.stat().st_size
            writer.execute("DELETE FROM texts WHERE rowid > 100")
            shrink(database, most_free_pages=10)
            assert reader.execute("SELECT count(*) FROM texts").fetchone() == (100,)
    assert database.stat().st_size < full / 10


def test_a_file_in_another_mode_is_unchanged(tmp_path: Path) -> None:
    database = tmp_path / "some.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("CREATE TABLE texts (text)")
        writer.executemany("INSERT INTO texts VALUES (?)", [("x" * 4000,)] * 100)
        full = database.stat().st_size
        writer.execute("DELETE FROM texts")
    shrink(database, most_free_pages=10)
    assert database.stat().st_size == full


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def server(data: Path) -> Iterator[httpx.Client]:
    """A server that keeps runs for a day, and checks for older ones every second."""
    port = free_port()
    spec = prefect_server_spec(
        data=data, host="127.0.0.1", port=port, auth=":".join(AUTH), keep_days=1
    )
    often = {"PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "1"}
    process = spawn(replace(spec, env={**spec.env, **often}), data / "prefect.log")
    try:
        url = f"http://127.0.0.1:{port}/api"
        wait_until_healthy(url, process, data / "prefect.log")
        with httpx.Client(base_url=f"{url}/", auth=AUTH, timeout=60) as client:
            yield client
    finally:
        end(process)


def test_old_runs_are_deleted_with_all_their_data(server: httpx.Client, data: Path) -> None:
    history = PrefectHistory(data / "prefect" / "prefect.db")
    empty = history.size()
    for number in range(RUNS):
        create_run(server, number)
    eventually(lambda: history.rows("events") >= RUNS)
    shrink(history.database)
    full = history.size()
    assert full > 3 * empty

    history.age(kept=KEPT)

    eventually(lambda: server.post("flow_runs/count", json={}).json() == KEPT)
    eventually(lambda: history.rows("log") == KEPT)
    eventually(lambda: history.rows("events") <= KEPT)
    assert history.rows("event_resources") <= KEPT * 10
    shrink(history.database, most_free_pages=0)
    assert history.size() <= 1.5 * empty + (full - empty) * KEPT / RUNS


def create_run(server: httpx.Client, number: int) -> None:
    flow = server.post("flows/", json={"name": "kept"}).json()
    run = {
        "flow_id": flow["id"],
        "name": f"run {number}",
        "parameters": {"text": "x" * 50_000},
        "state": {"type": "COMPLETED"},
    }
    flow_run = server.post("flow_runs/", json=run).raise_for_status().json()
    line = {
        "name": "kept",
        "level": 20,
        "message": "done",
        "timestamp": flow_run["created"],
        "flow_run_id": flow_run["id"],
    }
    server.post("logs/", json=[line]).raise_for_status()
