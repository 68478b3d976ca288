"""A disk that gets full while the platform runs."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from harness.callers import login, me
from harness.commands import refused
from harness.platform import TOKEN, RunningPlatform, running_platform
from harness.small_disk import SmallDisk, small_disk
from promptops_platform.clock import SystemClock
from promptops_platform.db.schema import DatabaseNotUsable
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.lifecycle import Platform
from promptops_platform.settings import Settings

pytestmark = pytest.mark.trial

ADMIN = {"username": "admin", "password": "admin"}


@pytest.fixture
def disk(data_folder: Path) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    with small_disk(data_folder, 16) as disk:
        yield disk


async def ready(platform: RunningPlatform) -> dict[str, Any]:
    platform.platform.observability.readiness._parts = None
    answer = await platform.http.get("/ready")
    body: dict[str, Any] = answer.json()
    return {"status": answer.status_code, **body}


async def test_on_a_full_disk_ready_says_so_and_admins_log_in(disk: SmallDisk) -> None:
    settings = Settings(data=disk.folder, token=SecretStr(TOKEN))
    async with running_platform(settings) as platform:
        prompt = await platform.create(env="prod", content="kept")
        assert (await ready(platform))["parts"]["disk"] == {"ok": True, "detail": "has room"}
        disk.fill()
        refused = await edit_until_refused(platform, prompt["id"])
        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
        assert "Make room on its disk" in refused.json()["error"]
        state = await ready(platform)
        assert state["status"] == 200, "what is published is served"
        assert "disk" in state["degraded"]
        assert state["parts"]["disk"]["detail"].startswith("is full")

        answers = [await login(platform, **ADMIN) for _ in range(12)]
        assert {answer.status_code for answer in answers} == {200}, answers[-1].text
        token = answers[0].json()["token"]
        assert (await me(platform, token)).json()["role"] == "admin"
        async with platform.client(token) as admin:
            assert (await admin.get("/api/prompts")).status_code == 200
            assert (await admin.post("/api/logout")).status_code == 200
        assert (await me(platform, token)).status_code == 401
        one, other = (answers[number].json()["token"] for number in (1, 2))
        async with platform.client(one) as admin:
            assert (await admin.delete("/api/me/sessions?keep_current=true")).status_code == 200
            assert (await admin.get("/api/me")).status_code == 200
        assert (await me(platform, other)).status_code == 401
        wrong = await login(platform, username="admin", password="wrong")
        assert wrong.status_code == 401
        assert (await platform.fetch(prompt["key"])).status_code == 200

        disk.make_room()
        saved = await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "new"})
        assert saved.status_code == 200, saved.text
        assert (await ready(platform))["parts"]["disk"]["ok"] is True


async def edit_until_refused(platform: RunningPlatform, prompt_id: str) -> httpx.Response:
    """The log of the database has some room of its own."""
    for number in range(500):
        content = "x" * 20_000 + str(number)
        answer = await platform.http.put(f"/api/prompts/{prompt_id}", json={"content": content})
        if answer.status_code != 200:
            return answer
    raise AssertionError("the disk did not get full")


async def test_a_start_on_a_full_disk_says_so(disk: SmallDisk) -> None:
    settings = Settings(data=disk.folder, token=SecretStr(TOKEN))
    async with running_platform(settings):
        pass
    disk.fill()
    platform = Platform(settings, SystemClock())
    with pytest.raises((DatabaseNotUsable, DatabaseUnavailable), match=r"[Mm]ake room on its disk"):
        await platform.prepare()
    await platform.stop()
    disk.make_room()
    async with running_platform(settings):
        pass


def test_a_first_start_on_a_full_disk_says_so(disk: SmallDisk) -> None:
    disk.fill()
    sentence = refused("serve", PROMPTOPS_DATA=str(disk.folder))
    assert "make room on its disk" in sentence.lower()
