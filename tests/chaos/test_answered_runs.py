"""Kill -9 in the middle of playground calls: what was answered is in the run log."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

import asyncpg
import httpx
import pytest

from harness.platform import DatabaseKind
from harness.postgres import Postgres
from harness.up import PromptOps, promptops

pytestmark = pytest.mark.trial

CLIENTS = 32
SHORT_KILLS = (150, 40)
LONG_KILLS = (150, 40, 400, 5, 800) * 6


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> DatabaseKind:
    kind: DatabaseKind = request.param
    return kind


@pytest.mark.timeout(1200)
async def test_answered_runs_survive_kill_9(
    database_kind: DatabaseKind, postgres: Postgres, pytestconfig: pytest.Config
) -> None:
    is_long = pytestconfig.getoption("--long")
    if database_kind == "postgresql" and not is_long:
        pytest.skip("the same trial on the other database, with --long")
    url = await postgres.new_database() if database_kind == "postgresql" else None
    settings = {} if url is None else {"database_url": url}
    answered: set[str] = set()
    with promptops("serve", settings) as platform:
        platform.start()
        for number in LONG_KILLS if is_long else SHORT_KILLS:
            await killed_while_asking(platform, answered, number)
            await asyncio.to_thread(platform.start)
            with platform.client() as client:
                assert client.get(f"/api/runs/{max(answered)}").status_code == 200
            logged = await run_ids(platform, url)
            assert answered - logged == set()
            with platform.client() as client:
                assert client.get("/api/runs/stats").json()["total"] == len(logged)
        assert platform.stop() == 0


async def killed_while_asking(platform: PromptOps, answered: set[str], number: int) -> None:
    """All ask at once, one after the other, until so many more are answered and all is killed."""
    headers = {"authorization": f"Bearer {platform.token}"}
    enough = len(answered) + number
    async with httpx.AsyncClient(base_url=platform.url, headers=headers, timeout=30) as client:
        asking = asyncio.gather(
            *(ask(client, answered, stream=index % 4 == 0) for index in range(CLIENTS))
        )
        async with asyncio.timeout(120):
            while len(answered) < enough:
                assert not asking.done(), await asking
                await asyncio.sleep(0)
        platform.kill()
        await asking


async def ask(client: httpx.AsyncClient, answered: set[str], *, stream: bool) -> None:
    """Returns when the platform stops answering."""
    body = {"content": "Say hello.", "stream": stream}
    with contextlib.suppress(httpx.TransportError):
        while True:
            answer = await client.post("/api/playground/run", json=body)
            assert answer.status_code == 200, answer.text
            answered.add(answer.text.rpartition('"run_id":')[2].split('"')[1])


async def run_ids(platform: PromptOps, url: str | None) -> set[str]:
    if url is None:
        with contextlib.closing(sqlite3.connect(platform.data / "promptops.db")) as database:
            return {run_id for (run_id,) in database.execute("SELECT id FROM runs")}
    connection = await asyncpg.connect(url)
    try:
        return {row["id"] for row in await connection.fetch("SELECT id FROM runs")}
    finally:
        await connection.close()
