"""`promptops up` and its children: what it says, what it survives, how it ends."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path
from signal import SIGINT, SIGKILL

import httpx
import pytest

from harness.processes import eventually
from harness.up import RUN_SECONDS, PromptOps, created, promptops
from harness.up_runs import QUICK, Held, Runs, ended_as, held, runs_on, slow

__all__ = ["held"]

pytestmark = [pytest.mark.trial, pytest.mark.timeout(600)]

ENDED_EARLY = "the run engine ended before the run did"


@pytest.fixture(scope="module")
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.fixture(scope="module")
def platform(taken_port: int) -> Iterator[PromptOps]:
    """With the default secrets, and a Prefect port that is taken."""
    with promptops(settings={"prefect_port": str(taken_port)}) as platform:
        platform.start()
        yield platform
        assert platform.stop() == 0
        assert platform.processes() == set()


@pytest.fixture(scope="module")
def runs(platform: PromptOps) -> Iterator[Runs]:
    with runs_on(platform) as runs:
        yield runs


def test_the_start_says_where_how_and_what_is_unsafe(platform: PromptOps, taken_port: int) -> None:
    credentials = platform.data / "prefect" / "credentials"
    assert platform.prefect_port != taken_port
    lines = [line.strip() for line in platform.text.strip().splitlines()]
    assert lines == [
        f"PromptOps is ready: {platform.url}",
        "Log in as admin / admin",
        f"Data folder: {platform.data.resolve()}",
        f"Prefect UI: http://127.0.0.1:{platform.prefect_port} (ready in some seconds)",
        f"log in with the line in {credentials.resolve()}",
        f"port {taken_port} was taken, so it moved to {platform.prefect_port}",
        "WARNING: the static token is the default 'promptops-dev-token'; set PROMPTOPS_TOKEN.",
        "WARNING: the account 'admin' still has its default password; change it.",
        "Stop with Ctrl-C.",
    ]
    assert credentials.stat().st_mode & 0o077 == 0
    _, password = platform.prefect_login()
    assert len(password) >= 24


def test_a_second_start_on_the_same_folder_is_refused(platform: PromptOps) -> None:
    before = platform.processes()
    with promptops(data=platform.data) as second:
        second.launch()
        assert second.wait() == 1
        assert second.text == ""
        assert f"is in use by the PromptOps with pid {platform.pid};" in second.log
        assert str(platform.data) in second.log
        assert "Traceback" not in second.log
    assert platform.processes() == before
    assert httpx.get(f"{platform.url}/health").json() == {"ok": True}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"addr": "nowhere"}, "address 'nowhere' is not of the form host:port or :port"),
        ({"prefect_port": "0"}, "PROMPTOPS_PREFECT_PORT: "),
        ({"data": "long" * 30}, "is too long for a Unix socket; set PROMPTOPS_DATA"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    settings: dict[str, str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with promptops(settings=settings) as refused:
        refused.launch()
        assert refused.wait() == 1
        assert sentence in refused.log
        assert refused.log.count("\n") == 1, refused.log


def test_a_taken_address_is_named(platform: PromptOps) -> None:
    with promptops(settings={"addr": f"127.0.0.1:{platform.port}"}) as refused:
        refused.launch()
        assert refused.wait() == 1
        assert f"can't listen on 127.0.0.1:{platform.port}" in refused.log
        assert "set PROMPTOPS_ADDR to a free address" in refused.log
        assert refused.events("child_started") == []


def test_a_killed_engine_is_started_again(platform: PromptOps, runs: Runs) -> None:
    workflow, endless = runs.workflow("after", QUICK), runs.workflow("endless", slow(60_000))
    asked = runs.ask(endless)
    (run,) = runs.wait_for_running("endless")
    killed = platform.child("engine")
    os.kill(killed, SIGKILL)

    answer = asked.result()
    assert (answer.status_code, answer.json()["error"]) == (502, ENDED_EARLY)
    assert answer.json()["run_id"] == run["id"]
    logged = runs.logged(run["id"])
    assert (logged["status"], logged["error"]) == ("error", ENDED_EARLY)
    assert logged["finished_at"]
    with platform.prefect() as prefect:
        ended_as(prefect, "Crashed", run["flow_run_id"])

    assert runs.ask(workflow).result().status_code == 200
    assert platform.child("engine") != killed
    (death,) = [event for event in platform.events("child_died") if event["child"] == "engine"]
    assert death["exit_code"] == -SIGKILL
    assert death["again_in_seconds"] > 0


def test_a_killed_prefect_server_is_started_again(
    platform: PromptOps, runs: Runs, held: Held
) -> None:
    model, release = held
    quick, under_way = runs.workflow("quick", QUICK), runs.workflow("under-way", [model.step])
    prompt = created(runs.client, "prompts", key="meanwhile", env="prod", content="0")
    detached = runs.workflow("detached", [*slow(2_000), *QUICK])
    first = runs.ask(under_way, **model.access)
    by_itself = runs.ask(detached, wait=False).result().json()["run_id"]
    runs.wait_for_running("under-way")
    eventually(lambda: runs.logged(by_itself)["state"] == "running", seconds=RUN_SECONDS)
    killed = platform.child("prefect")
    os.kill(killed, SIGKILL)
    # It ends while Prefect is away.
    release()

    asked, edits = runs.ask(quick), 0
    while not asked.done():
        edits += 1
        change = {"content": str(edits)}
        assert runs.client.put(f"/api/prompts/{prompt['id']}", json=change).status_code == 200
        assert runs.client.get("/api/sdk/prompts/meanwhile").json()["content"] == str(edits)
        wait([asked], timeout=0.2)
    assert edits > 0
    answers = [first.result(), asked.result()]
    assert [answer.status_code for answer in answers] == [200, 200], answers[1].text

    eventually(lambda: runs.logged(by_itself)["finished_at"], seconds=RUN_SECONDS)
    ended = runs.logged(by_itself)
    assert (ended["state"], ended["attempt"]) == ("completed", 1)

    assert platform.child("prefect") != killed
    with platform.prefect() as prefect:
        ids = [run["flow_run_id"] for run in (*(answer.json() for answer in answers), ended)]
        ended_as(prefect, "Completed", *ids)


def test_a_client_that_hangs_up_does_not_end_its_run(
    platform: PromptOps, runs: Runs, held: Held
) -> None:
    model, release = held
    workflow = runs.workflow("left-alone", [model.step])
    body = json.dumps(model.access)
    head = (
        f"POST /api/workflows/{workflow['id']}/run HTTP/1.1\r\nHost: test\r\n"
        f"Authorization: Bearer {platform.token}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    with socket.create_connection(("127.0.0.1", platform.port)) as caller:
        caller.sendall(head.encode())
        (run,) = runs.wait_for_running("left-alone")
    release()
    eventually(lambda: runs.logged(run["id"])["status"] != "running", seconds=RUN_SECONDS)
    assert runs.logged(run["id"])["status"] == "ok"
    assert runs.client.get("/api/runs").json()["data"][0]["id"] == run["id"]
    with platform.prefect() as prefect:
        ended_as(prefect, "Completed", run["flow_run_id"])


def test_a_second_platform_runs_beside_it_and_ctrl_c_ends_it(platform: PromptOps) -> None:
    before = platform.processes()
    settings = {"token": "own-static-token", "prefect_port": str(platform.prefect_port)}
    with promptops(settings=settings) as second:
        # As `make up` runs it: Ctrl-C goes to the whole group, and so to both.
        second.argv = ["sh", "-c", f'trap : INT; {" ".join(second.argv)}; echo "ended with $?"']
        second.start()
        assert second.prefect_port != platform.prefect_port
        assert f"port {platform.prefect_port} was taken" in second.text
        assert "the static token is the default" not in second.text
        with runs_on(second) as runs:
            workflow = runs.workflow("beside", QUICK)
            flow_run_id = runs.ask(workflow).result().json()["flow_run_id"]
        with platform.prefect() as prefect:
            assert prefect.get(f"flow_runs/{flow_run_id}").status_code == 404
        second.signal(SIGINT, group=True)
        second.wait()
        assert second.text.endswith("ended with 0\n")
        assert second.processes() == set()
    assert platform.processes() == before
