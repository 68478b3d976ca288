"""A real platform on a real socket, in the test's process and event loop."""

import asyncio
import itertools
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx
import uvicorn
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect

from harness.migrated import new_migrated_database, place_migrated_file
from harness.postgres import Postgres
from harness.processes import WAIT_SECONDS, pauses
from promptops_platform.app import asgi
from promptops_platform.clock import Clock, SystemClock
from promptops_platform.db.location import SqliteFile
from promptops_platform.ids import new_id
from promptops_platform.lifecycle import Platform
from promptops_platform.listen_addresses import open_sockets
from promptops_platform.server import uvicorn_config
from promptops_platform.settings import Settings

T = TypeVar("T")
DatabaseKind = Literal["sqlite", "postgresql"]
TOKEN = "test-static-token"
# Reading the machine's certificates takes longer than most tests, and nothing here is encrypted.
NO_TLS = False


@dataclass
class RunningPlatform:
    """A running platform; `http` sends the static token."""

    platform: Platform
    port: int
    http: httpx.AsyncClient

    def client(self, token: str | None) -> httpx.AsyncClient:
        """Another caller; close it, or use it in a `with` statement."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        url = f"http://127.0.0.1:{self.port}"
        return httpx.AsyncClient(base_url=url, headers=headers, verify=NO_TLS)

    async def create(self, key: str | None = None, **fields: Any) -> dict[str, Any]:
        """Create a prompt and return it."""
        answer = await self.http.post("/api/prompts", json={"key": key or new_key(), **fields})
        assert answer.status_code == 200, answer.text
        created: dict[str, Any] = answer.json()["data"]
        return created

    async def publish(self, prompt_id: str) -> dict[str, Any]:
        """Publish the working copy and return the version."""
        answer = await self.http.post("/api/prompts/publish", json={"id": prompt_id})
        assert answer.status_code == 200, answer.text
        version: dict[str, Any] = answer.json()["data"]
        return version

    async def fetch(self, key: str, env: str = "prod", **query: str) -> httpx.Response:
        """The prompt as an SDK fetches it."""
        return await self.http.get(f"/api/sdk/prompts/{key}", params={"env": env, **query})

    async def announced(self) -> None:
        """Wait until all changes so far are announced: a new connection then receives nothing of
        what earlier tests did on the same platform."""
        await until(lambda: self.platform.runlog.events.are_taken)
        # Without its database there is nothing to announce.
        await self.platform.changes.feed.poll_now(5)

    @asynccontextmanager
    async def watch(self, **query: str) -> AsyncIterator[ClientConnection]:
        """A connected watching client; without `since` it receives the events from now on."""
        if "since" not in query:
            await self.announced()
        params = httpx.QueryParams({"token": TOKEN, **query})
        # Without its own pings: a test may stop reading for long.
        address = f"ws://127.0.0.1:{self.port}/ws?{params}"
        async with connect(address, ping_interval=None) as connection:
            yield connection


def new_key() -> str:
    """A unique key."""
    return f"key-{new_id()}"


async def next_event(connection: ClientConnection) -> dict[str, Any]:
    """The next event; fails if none arrives in time."""
    text = await asyncio.wait_for(connection.recv(), WAIT_SECONDS)
    event: dict[str, Any] = json.loads(text)
    return event


async def until(condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """Wait until `condition` is true; fails if that takes too long."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def until_found(
    look: Callable[[], Awaitable[list[T]]], seconds: float = WAIT_SECONDS
) -> list[T]:
    """Repeat until there is a result; fails if there is none in time."""
    pause = pauses()
    async with asyncio.timeout(seconds):
        while not (outcome := await look()):
            await asyncio.sleep(next(pause))
        return outcome


def new_data_folder() -> Path:
    """A data folder with a path that is short enough for a Unix socket, unlike pytest's own."""
    return Path(tempfile.mkdtemp(prefix="promptops-"))


async def new_settings(
    kind: DatabaseKind,
    postgres: Postgres | None,
    data: Path,
    *,
    empty: bool = False,
    **changes: Any,
) -> Settings:
    """Settings of a platform with a new database of this kind.

    The database has its schema already; with `empty` the platform's first start creates it.
    """
    url = None
    if kind == "postgresql":
        assert postgres is not None
        url = await (postgres.new_database() if empty else new_migrated_database(postgres))
    defaults = {
        "token": SecretStr(TOKEN),
        "engine_wait_seconds": 0.5,
        "drain_seconds": 5.0,
        # Tests share one Prefect server.
        "work_pool": data.name,
    }
    database_url = None if url is None else SecretStr(url)
    settings = Settings(data=data, database_url=database_url, **{**defaults, **changes})
    if isinstance(settings.database_location, SqliteFile) and not empty:
        await place_migrated_file(settings.database_location.path)
    return settings


@asynccontextmanager
async def running_platform(
    settings: Settings, clock: Clock | None = None
) -> AsyncIterator[RunningPlatform]:
    """Serve on a free port until the block ends."""
    platform = Platform(settings, clock or SystemClock())
    sockets = open_sockets(("127.0.0.1",), 0)
    port = sockets[0].getsockname()[1]
    server = _Server(uvicorn_config(asgi(platform), settings, lifespan="on"))
    serving = asyncio.create_task(server.serve(sockets=sockets))
    await asyncio.wait(
        [serving, asyncio.create_task(server.ready.wait())], return_when=asyncio.FIRST_COMPLETED
    )
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"authorization": f"Bearer {TOKEN}"},
            timeout=30,
            verify=NO_TLS,
        ) as http:
            yield RunningPlatform(platform, port, http)
    finally:
        server.stop()
        await serving


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        self.should_exit = True
        self._stopped.set()

    async def main_loop(self) -> None:
        """Uvicorn's own main loop without its pauses, which would delay a stop."""
        stopped = asyncio.create_task(self._stopped.wait())
        for counter in itertools.count():
            if await self.on_tick(counter):
                break
            await asyncio.wait([stopped], timeout=0.1)
        await stopped

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()
