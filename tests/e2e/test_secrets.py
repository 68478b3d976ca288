"""Where secrets must not stand: in files, output, Prefect, and the children's environment."""

from __future__ import annotations

import base64
import os
from functools import partial
from pathlib import Path
from signal import SIGKILL

import httpx
import pytest
from websockets.sync.client import connect

from harness.processes import eventually
from harness.up import RUN_SECONDS, PromptOps, promptops
from harness.up_runs import QUICK, runs_on, slow

pytestmark = pytest.mark.timeout(600)

API_KEY = "sk-Zx8fR2mVtQ0pLw7nBd4s"
PREFECTS_LISTS = ("flows", "flow_runs", "task_runs", "logs", "events", "artifacts", "variables")


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
            request_fields = {"api_key": API_KEY, "variables": {"key": f"Bearer {API_KEY}"}}
            assert (
                runs.ask(runs.workflow("good", steps), **request_fields).result().status_code == 200
            )
            assert (
                runs.ask(runs.workflow("bad", fails), **request_fields).result().status_code == 502
            )
            killed = runs.ask(runs.workflow("killed", slow(60_000)), **request_fields)
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
        secrets = [
            secret.encode() for secret in (API_KEY, session, platform.token, prefects_password)
        ]
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
    return [name for name, content in names.items() if any(secret in content for secret in secrets)]


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
