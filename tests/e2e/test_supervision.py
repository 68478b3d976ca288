"""`promptops up` and its children: what it says, what it survives, how it ends."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from signal import SIGINT, SIGKILL
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from harness.prefect_server import PrefectServer
from harness.processes import eventually, is_alive
from harness.up import RUN_SECONDS, PromptOps, created, promptops, run_workflow

pytestmark = pytest.mark.timeout(300)

QUICK = [{"name": "quick", "type": "transform", "op": "trim"}]
ENDED_EARLY = "the run engine ended before the run did"
# Platform and engine drain against the same bound; either may be the one that says it.
CUT_OFF = "stopped before the run"
API_KEY = "sk-Zx8fR2mVtQ0pLw7nBd4s"
PREFECTS_LISTS = ("flows", "flow_runs", "task_runs", "logs", "events", "artifacts", "variables")


def slow(milliseconds: int) -> list[dict[str, str]]:
    """The steps of a workflow that takes its time."""
    model = f"mock-slow-{milliseconds}ms"
    return [{"name": "slow", "type": "model", "provider": "mock", "model": model}]


class Runs:
    """Runs under way on a platform, each in a thread of its own."""

    def __init__(self, platform: PromptOps, threads: ThreadPoolExecutor) -> None:
        self.client = platform.client()
        self._threads = threads

    def workflow(self, key: str, steps: list[dict[str, str]]) -> dict[str, Any]:
        return created(self.client, "workflows", key=key, steps=steps)

    def ask(self, workflow: dict[str, Any], **body: Any) -> Future[httpx.Response]:
        return self._threads.submit(run_workflow, self.client, workflow, **body)

    def wait_for_running(self, key: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until so many runs of a workflow are under way."""

        def found() -> list[dict[str, Any]]:
            runs = self.client.get("/api/runs", params={"status": "running"}).json()["data"]
            ours = [run for run in runs if run["ref_key"] == key]
            return ours if len(ours) >= count else []

        return eventually(found, seconds=RUN_SECONDS)

    def logged(self, run_id: str) -> dict[str, Any]:
        run: dict[str, Any] = self.client.get(f"/api/runs/{run_id}").json()["data"]
        return run


@contextlib.contextmanager
def runs_on(platform: PromptOps) -> Iterator[Runs]:
    with ThreadPoolExecutor() as threads:
        runs = Runs(platform, threads)
        with runs.client:
            yield runs


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


def flow_states(prefect: httpx.Client, *flow_run_ids: str) -> list[str]:
    return [prefect.get(f"flow_runs/{each}").json()["state_name"] for each in flow_run_ids]


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
        eventually(lambda: flow_states(prefect, run["flow_run_id"]) == ["Crashed"], seconds=30)

    assert runs.ask(workflow).result().status_code == 200
    assert platform.child("engine") != killed
    (death,) = [each for each in platform.events("child_died") if each["child"] == "engine"]
    assert death["exit_code"] == -SIGKILL
    assert death["again_in_seconds"] > 0


def test_a_killed_prefect_server_is_started_again(platform: PromptOps, runs: Runs) -> None:
    quick, under_way = runs.workflow("quick", QUICK), runs.workflow("under-way", slow(2_000))
    prompt = created(runs.client, "prompts", key="meanwhile", env="prod", content="0")
    first = runs.ask(under_way)
    runs.wait_for_running("under-way")
    killed = platform.child("prefect")
    os.kill(killed, SIGKILL)

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

    assert platform.child("prefect") != killed
    with platform.prefect() as prefect:
        ids = [answer.json()["flow_run_id"] for answer in answers]
        eventually(lambda: flow_states(prefect, *ids) == ["Completed"] * 2, seconds=60)


def test_a_client_that_hangs_up_does_not_end_its_run(platform: PromptOps, runs: Runs) -> None:
    workflow = runs.workflow("left-alone", slow(1_500))
    head = (
        f"POST /api/workflows/{workflow['id']}/run HTTP/1.1\r\nHost: test\r\n"
        f"Authorization: Bearer {platform.token}\r\nContent-Length: 2\r\n\r\n{{}}"
    )
    with socket.create_connection(("127.0.0.1", platform.port)) as caller:
        caller.sendall(head.encode())
        (run,) = runs.wait_for_running("left-alone")
    eventually(lambda: runs.logged(run["id"])["status"] != "running", seconds=30)
    assert runs.logged(run["id"])["status"] == "ok"
    assert runs.client.get("/api/runs").json()["data"][0]["id"] == run["id"]
    with platform.prefect() as prefect:
        assert flow_states(prefect, run["flow_run_id"]) == ["Completed"]


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


def test_secrets_are_found_nowhere() -> None:
    with promptops(settings={"token": "static-token-9d1c"}) as platform:
        platform.start()
        with httpx.Client(base_url=platform.url) as anonymous:
            login = anonymous.post("/api/login", json={"username": "admin", "password": "admin"})
        session = login.json()["token"]
        with runs_on(platform) as runs:
            watched = f"ws://127.0.0.1:{platform.port}/ws?token={platform.token}&namespace=prod"
            with connect(watched), platform.client(session) as user:
                assert user.get("/api/me").json()["username"] == "admin"
            steps = [*QUICK, *slow(10)]
            fails = [{"name": "no", "type": "model", "model": "mock-fail-authentication_failed"}]
            given = {"api_key": API_KEY, "variables": {"key": f"Bearer {API_KEY}"}}
            assert runs.ask(runs.workflow("good", steps), **given).result().status_code == 200
            assert runs.ask(runs.workflow("bad", fails), **given).result().status_code == 502
            killed = runs.ask(runs.workflow("killed", slow(60_000)), **given)
            runs.wait_for_running("killed")
            os.kill(platform.child("engine"), SIGKILL)
            assert killed.result().status_code == 502

        with platform.prefect() as prefect:
            eventually(lambda: len(prefect.post("task_runs/filter", json={}).json()) >= 3)
            lists = [prefect.post(f"{kind}/filter", json={}) for kind in PREFECTS_LISTS]
            assert {answer.status_code for answer in lists} == {200}
            shown = b"".join(answer.content for answer in lists)
        assert b"good" in shown
        _, prefects_password = platform.prefect_login()
        secrets = [each.encode() for each in (API_KEY, session, platform.token, prefects_password)]
        assert not [secret for secret in secrets if secret in shown]
        # While it runs, its latest writes stand in the databases' write-ahead logs.
        assert files_with(platform, secrets) == ["prefect/credentials"]
        assert platform.stop() == 0
        assert files_with(platform, secrets) == ["prefect/credentials"]


def files_with(platform: PromptOps, secrets: list[bytes]) -> list[str]:
    """Files of the data folder, and its output, in which one of the secrets stands."""
    web_pages = platform.data / "prefect" / "ui"
    files = [
        path
        for path in platform.data.rglob("*")
        if path.is_file() and not path.is_relative_to(web_pages)
    ]
    names = {path.relative_to(platform.data).as_posix(): path.read_bytes() for path in files}
    assert {"promptops.db", "prefect/prefect.db", "logs/engine.log", "logs/prefect.log"} <= {*names}
    names["its output"] = platform.output
    return [name for name, content in names.items() if any(each in content for each in secrets)]


def test_early_runs_wait_and_sigterm_lets_late_ones_finish() -> None:
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

            late = runs.workflow("late", slow(3_000))
            answers = [runs.ask(late) for _ in range(3)]
            runs.wait_for_running("late", count=3)
            code = platform.stop()
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
    given = {
        "PREFECT_API_URL": prefect_server.api_url,
        "PREFECT_API_AUTH_STRING": prefect_server.auth,
    }
    with promptops(settings={"drain_seconds": "1"}, environment=given) as platform:
        platform.start()
        assert f"Runs go to the Prefect server at {prefect_server.api_url}" in platform.text
        assert "Prefect UI" not in platform.text
        with runs_on(platform) as runs:
            answer = runs.ask(runs.workflow("elsewhere", QUICK)).result()
            assert answer.status_code == 200, answer.text
            with prefect_server.client() as prefect:
                assert flow_states(prefect, answer.json()["flow_run_id"]) == ["Completed"]
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
    prefect_server: PrefectServer,
) -> None:
    given = {
        "PREFECT_API_URL": prefect_server.api_url,
        "PREFECT_API_AUTH_STRING": prefect_server.auth,
    }
    with promptops(environment=given) as platform:
        platform.start()
        with runs_on(platform) as runs:
            quick = runs.workflow("quick", QUICK)
            cut_off = runs.ask(runs.workflow("cut-off", slow(5_000)))
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
            eventually(lambda: not is_alive(old), seconds=60)
            answer = runs.ask(quick).result()
            assert answer.status_code == 200, answer.text
            # The new engine left it to the old one, which let it end.
            with prefect_server.client() as prefect:
                assert flow_states(prefect, run["flow_run_id"]) == ["Completed"]

            # A second Ctrl-C doesn't wait for what runs, which the first one does for 30 seconds.
            endless = runs.ask(runs.workflow("endless", slow(60_000)))
            runs.wait_for_running("endless")
            platform.signal(SIGINT)
            eventually(lambda: platform.events("runs_draining"))
            assert not endless.done()
            platform.signal(SIGINT)
            assert platform.wait(20) == 0
            # The answer may be lost with the connection, but there is never a wrong one.
            with contextlib.suppress(httpx.TransportError):
                assert endless.result().status_code == 502
        assert platform.processes() == set()
        assert "Traceback" not in platform.log


def test_children_inherit_none_of_the_platforms_secrets() -> None:
    token, password = "token-Zx8fR2mVtQ0p", "password-Lw7nBd4s"
    secret_key = base64.b64encode(bytes(range(32))).decode()
    settings = {"token": token, "admin_password": password, "secret_key": secret_key}
    with promptops(settings=settings) as platform:
        platform.start()
        for child in ("engine", "prefect"):
            pid = eventually(partial(platform.child, child), seconds=RUN_SECONDS)
            environment = Path(f"/proc/{pid}/environ").read_bytes().decode()
            assert "PROMPTOPS_PARENT_PIPE" in environment
            for secret in (token, password, secret_key):
                assert secret not in environment
