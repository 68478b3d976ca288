"""Runs before the engine is there, and those that a stop meets."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Any

import httpx
import pytest

from harness.prefect_server import PrefectServer
from harness.processes import eventually, is_alive
from harness.up import RUN_SECONDS, created, promptops
from harness.up_runs import QUICK, Held, ended_as, held, runs_on, slow

__all__ = ["held"]

pytestmark = [pytest.mark.trial, pytest.mark.timeout(600)]

# Platform and engine drain against the same bound; either may be the one that says it.
CUT_OFF = "stopped before the run"


def test_early_runs_wait_and_sigterm_lets_late_ones_finish(held: Held) -> None:
    model, release = held
    with promptops() as platform:
        platform.start()
        with runs_on(platform) as runs:
            early = runs.ask(runs.workflow("early", QUICK))
            prompt = created(runs.client, "prompts", key="early", env="prod", content="Hi")
            published = runs.client.post("/api/prompts/publish", json={"id": prompt["id"]})
            assert published.status_code == 200
            assert runs.client.get("/api/sdk/prompts/early").json()["content"] == "Hi"
            assert not early.done()
            assert early.result().status_code == 200

            late = runs.workflow("late", [model.step])
            answers = [runs.ask(late, **model.access) for _ in range(3)]
            runs.wait_for_running("late", count=3)
            platform.signal(SIGTERM)
            eventually(lambda: platform.events("runs_draining"))
            release()
            code = platform.wait()
            assert [answer.result().status_code for answer in answers] == [200] * 3
        assert code == 0
        assert platform.processes() == set()
        assert not (platform.data / "engine.sock").exists()
        assert rows(platform.data / "promptops.db", "SELECT status FROM runs") == ["ok"] * 4
        states = rows(platform.data / "prefect" / "prefect.db", "SELECT state_name FROM flow_run")
        assert states == ["Completed"] * 4


def rows(database: Path, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return [value for (value,) in connection.execute(query)]


def test_without_an_engine_a_run_is_refused_and_not_recorded() -> None:
    with promptops("serve", {"engine_wait_seconds": "0.5"}) as platform:
        platform.start()
        assert "Prefect" not in platform.text
        with runs_on(platform) as runs:
            answer = runs.ask(runs.workflow("refused", QUICK)).result()
            assert answer.status_code == 503
            assert answer.json()["error"].endswith("the run engine is not running; try again")
            assert int(answer.headers["retry-after"]) >= 1
            for params in ({}, {"status": "running"}, {"status": "error"}):
                listed = runs.client.get("/api/runs", params=params).json()
                assert (listed["data"], listed["total"]) == ([], 0)
        assert len(platform.processes()) == 1
        assert platform.stop(SIGINT) == 0


def test_a_given_prefect_server_is_used(prefect_server: PrefectServer) -> None:
    environment = {
        "PREFECT_API_URL": prefect_server.api_url,
        "PREFECT_API_AUTH_STRING": prefect_server.auth,
    }
    with promptops(settings={"drain_seconds": "1"}, environment=environment) as platform:
        platform.start()
        assert f"Runs go to the Prefect server at {prefect_server.api_url}" in platform.text
        assert "Prefect UI" not in platform.text
        with runs_on(platform) as runs:
            answer = runs.ask(runs.workflow("elsewhere", QUICK)).result()
            assert answer.status_code == 200, answer.text
            with prefect_server.client() as prefect:
                ended_as(prefect, "Completed", answer.json()["flow_run_id"])
            assert platform.processes() == {platform.pid, platform.child("engine")}
            assert not (platform.data / "prefect" / "credentials").exists()

            # A run that outlasts the time for running ones is cut off.
            endless = runs.ask(runs.workflow("endless", slow(60_000)))
            (run,) = runs.wait_for_running("endless")
            assert platform.stop() == 0
            assert platform.processes() == set()
            assert endless.result().status_code == 502
            assert CUT_OFF in endless.result().json()["error"]
            assert "Traceback" not in platform.log
            platform.start()
            logged = runs.logged(run["id"])
            assert logged["status"] == "error"
            assert logged["error"] == endless.result().json()["error"]
    assert is_alive(prefect_server.pid)


def test_a_start_right_after_kill_9_and_an_impatient_ctrl_c(
    prefect_server: PrefectServer, held: Held
) -> None:
    model, release = held
    environment = {
        "PREFECT_API_URL": prefect_server.api_url,
        "PREFECT_API_AUTH_STRING": prefect_server.auth,
    }
    # What the old engine leaves its run to end is longer than a start takes.
    with promptops(settings={"drain_seconds": "120"}, environment=environment) as platform:
        platform.start()
        with runs_on(platform) as runs:
            quick = runs.workflow("quick", QUICK)
            cut_off = runs.ask(runs.workflow("cut-off", [model.step]), **model.access)
            (run,) = runs.wait_for_running("cut-off")
            old = platform.child("engine")
            platform.kill()
            with pytest.raises(httpx.TransportError):
                cut_off.result()
            assert is_alive(old)

            platform.start()
            logged = runs.logged(run["id"])
            assert logged["status"] == "error"
            assert logged["error"] == "the platform ended during this run; start it again"
            assert runs.ask(quick).result().status_code == 200
            assert is_alive(old)
            release()
            eventually(lambda: not is_alive(old), seconds=RUN_SECONDS)
            answer = runs.ask(quick).result()
            assert answer.status_code == 200, answer.text
            # The new engine left it to the old one, which let it end.
            with prefect_server.client() as prefect:
                ended_as(prefect, "Completed", run["flow_run_id"])

            # A second Ctrl-C doesn't wait for what runs, which the first one does for two minutes.
            endless = runs.ask(runs.workflow("endless", slow(60_000)))
            runs.wait_for_running("endless")
            platform.signal(SIGINT)
            eventually(lambda: platform.events("runs_draining"))
            assert not endless.done()
            platform.signal(SIGINT)
            assert platform.wait() == 0
            # The answer may be lost with the connection, but there is never a wrong one.
            with contextlib.suppress(httpx.TransportError):
                assert endless.result().status_code == 502
        assert platform.processes() == set()
        assert "Traceback" not in platform.log
