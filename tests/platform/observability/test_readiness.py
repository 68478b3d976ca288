"""/ready names each part, in bounded time, whatever hangs; /health knows of none."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy import text

from harness.engine import running_engine
from harness.platform import (
    TOKEN,
    DatabaseKind,
    RunningPlatform,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from harness.prefect_server import PrefectServer
from harness.processes import WAIT_SECONDS
from harness.tcp_gate import TcpGate
from promptops_flows.protocol.engine_client import EngineClient
from promptops_flows.protocol.engine_protocol import Unavailable
from promptops_platform.observability import readiness
from promptops_platform.settings import Settings


async def parts(platform: RunningPlatform, **query: str) -> tuple[int, dict[str, Any]]:
    async with platform.client(None) as nobody:
        answer = await nobody.get("/ready", params=query)
    return answer.status_code, answer.json()


async def until_ready(
    platform: RunningPlatform, is_expected: Callable[[int, dict[str, Any]], bool], **query: str
) -> dict[str, Any]:
    """The answer once it is as wanted."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            status, body = await parts(platform, **query)
            if is_expected(status, body):
                return body
            await asyncio.sleep(0.05)


async def test_a_replica_without_an_engine_is_ready_for_fetches_and_says_what_lacks(
    platform: RunningPlatform,
) -> None:
    status, body = await parts(platform)
    assert status == 200
    assert body["ready"] is True
    assert body["degraded"] == ["engine", "prefect"]
    assert {name: part["ok"] for name, part in body["parts"].items()} == {
        "database": True,
        "feed": True,
        "engine": False,
        "prefect": False,
        "disk": True,
    }


async def test_whoever_sends_runs_can_ask_for_more(platform: RunningPlatform) -> None:
    status, body = await parts(platform, runs="true")
    assert status == 503
    assert body["ready"] is False
    assert body["code"] == "not_ready"
    assert "the engine accepts no runs now" in body["error"]
    assert body["parts"]["database"]["ok"] is True


async def test_engine_and_prefect_are_told_apart(
    data_folder: Path, prefect_server: PrefectServer
) -> None:
    port = urlsplit(prefect_server.api_url).port
    assert port is not None
    gate = TcpGate(port)
    await gate.open()
    api_url = f"http://127.0.0.1:{gate.port}/api"
    with running_engine(api_url, prefect_server.auth) as engine:
        async with running_platform(Settings(data=data_folder, token=SecretStr(TOKEN))) as platform:
            platform.platform.observability.readiness._engine = EngineClient(engine.socket)
            await until_ready(platform, lambda status, _: status == 200, runs="true")
            await gate.shut()
            body = await until_ready(platform, lambda status, _: status == 503, runs="true")
            assert body["degraded"] == ["prefect"]
            assert str(gate.port) not in str(body), "an address inside is nobody's business"
            engine.process.kill()
            body = await until_ready(platform, lambda _, body: len(body["degraded"]) == 2)
            assert body["parts"]["prefect"]["detail"].startswith("is unknown")
    await gate.shut()


class FullEngine(EngineClient):
    async def why_not_ready(self) -> Unavailable | None:
        return Unavailable("all threads of the run engine are busy", "threads")


async def test_an_engine_whose_threads_are_all_busy_is_told(
    data_folder: Path,
) -> None:
    async with running_platform(Settings(data=data_folder, token=SecretStr(TOKEN))) as platform:
        platform.platform.observability.readiness._engine = FullEngine(data_folder / "no.sock")
        status, body = await parts(platform, runs="true")
        assert status == 503
        assert "the engine has no free thread; runs wait for one" in body["error"]
        assert body["degraded"] == ["engine"]


async def test_without_the_database_it_is_not_ready_and_alive(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as platform:
        prompt = await platform.create(env="prod", content="kept")
        assert (await parts(platform))[0] == 200
        async with postgres.unreachable(settings):
            body = await until_ready(platform, lambda status, _: status == 503)
            assert not body["parts"]["database"]["ok"]
            assert str(postgres.folder) not in str(body), "an address is nobody's business"
            assert (await platform.http.get("/health")).json() == {"ok": True}
            assert (await platform.fetch(prompt["key"])).json()["content"] == "kept"
        await until_ready(platform, lambda status, _: status == 200)
        assert platform.platform.database.unavailable > 0


async def test_a_database_that_hangs_is_not_waited_for(
    database_kind: DatabaseKind,
    postgres: Postgres,
    data_folder: Path,
) -> None:
    """All its connections are taken, so that a check waits for one."""
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        database = platform.platform.database
        async with asyncio.TaskGroup() as group:
            let_go = asyncio.Event()
            pool: Any = database.engines.reader.pool
            most = pool.size() + max(0, pool._max_overflow)
            taken = [group.create_task(_hold(database, let_go)) for _ in range(most)]
            async with asyncio.timeout(WAIT_SECONDS):
                while pool.checkedout() < most:
                    await asyncio.sleep(0.01)
            await until_ready(platform, lambda status, _: status == 503)
            began = time.perf_counter()
            looks = platform.platform.observability.readiness
            results = await asyncio.gather(*(looks.parts() for _ in range(20)))
            # Who waits for a connection would wait for ten seconds.
            assert time.perf_counter() - began < 9
            assert {parts.database.ok for parts in results} == {False}
            let_go.set()
        assert all(task.done() for task in taken)
        await until_ready(platform, lambda status, _: status == 200)


async def _hold(database: Any, let_go: asyncio.Event) -> None:
    async with database.read() as transaction:
        await transaction.session.execute(text("SELECT 1"))
        await let_go.wait()


async def test_who_asks_together_shares_one_look(platform: RunningPlatform) -> None:
    looks = platform.platform.observability.readiness
    looks._parts = None
    results = await asyncio.gather(*(looks.parts() for _ in range(50)))
    assert len({id(parts) for parts in results}) == 1
    assert await looks.parts() is results[0]


async def test_a_feed_that_lags_is_told(postgres: Postgres, data_folder: Path) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as platform:
        feed = platform.platform.changes.feed
        feed._read_seconds = WAIT_SECONDS
        async with platform.platform.database.write() as transaction:
            await transaction.session.execute(text("LOCK TABLE feed_state"))

            def lags(status: int, _body: dict[str, Any]) -> bool:
                # A look that was under way may have ended in between.
                feed._current_at -= readiness.FEED_LAG_SECONDS
                return status == 503

            body = await until_ready(platform, lags)
            assert body["degraded"][0] == "feed"
            assert "lags" in body["parts"]["feed"]["detail"]
        await until_ready(platform, lambda status, _: status == 200)


async def test_a_load_balancer_may_name_any_host(data_folder: Path) -> None:
    settings = Settings(data=data_folder, token=SecretStr(TOKEN), allowed_hosts="api.example.org")
    async with running_platform(settings) as platform, platform.client(None) as nobody:
        assert (await nobody.get("/ready", headers={"host": "10.0.0.7"})).status_code == 200
        assert (await nobody.get("/metrics", headers={"host": "10.0.0.7"})).status_code == 400
