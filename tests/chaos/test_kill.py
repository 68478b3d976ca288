"""Kill -9 in the middle of writes: what was acknowledged stands, and the feed has no gap."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from signal import SIGKILL
from typing import Any

import asyncpg
import httpx
import pytest

from harness.engine import READY_SECONDS
from harness.platform import DatabaseKind
from harness.postgres import Postgres
from harness.processes import eventually
from harness.up import PromptOps, created, promptops, run_workflow
from harness.watching_program import WatchingProgram, watching_program

pytestmark = pytest.mark.trial

WRITERS = 6
SHORT_KILLS = 3
LONG_KILLS = 60
# Writes that are acknowledged before the next kill; primes, so that it hits every kind of write.
WRITES_BEFORE_A_KILL = (17, 61, 37, 97, 23)

PROMPTS = "SELECT id, key, env, version, content, published_id FROM prompts"
VERSIONS = "SELECT id, prompt_id, version, content FROM prompt_versions"
CHANGES = "SELECT revision, resource_id, type FROM changes ORDER BY revision"
STATE = "SELECT revision FROM feed_state"
AUDIT = "SELECT resource_id FROM audit_entries WHERE resource = 'prompt'"


@dataclass
class Written:
    """What a writer knows of its prompt.

    One of `possible` is its content: the last one that was acknowledged, or one that was asked for
    since. `unanswered` counts the writes of which nobody knows.
    """

    id: str
    key: str
    possible: set[str]
    versions: dict[str, str] = field(default_factory=dict)
    acknowledged: int = 1
    unanswered: int = 0


class Writer:
    """Edits and publishes its own prompt, and creates others, until the platform is gone."""

    def __init__(self, first: dict[str, Any]) -> None:
        self.prompt = Written(first["id"], first["key"], {first["content"]})
        self.created: dict[str, str] = {}
        self._numbers = itertools.count()

    @property
    def acknowledged(self) -> int:
        return self.prompt.acknowledged + len(self.created)

    async def write(self, client: httpx.AsyncClient) -> None:
        """Returns when the platform stops answering."""
        with contextlib.suppress(httpx.TransportError):
            while True:
                await self._edit(client)
                await self._publish(client)
                await self._create(client)

    async def _edit(self, client: httpx.AsyncClient) -> None:
        prompt = self.prompt
        content = f"{prompt.key} edit {next(self._numbers)} {{{{who}}}}"
        prompt.possible.add(content)
        change = {"content": content}
        await self._counted(client.put(f"/api/prompts/{prompt.id}", json=change))
        prompt.possible = {content}

    async def _publish(self, client: httpx.AsyncClient) -> None:
        asked = client.post("/api/prompts/publish", json={"id": self.prompt.id})
        version = await self._counted(asked)
        self.prompt.versions[version["version"]] = version["content"]

    async def _create(self, client: httpx.AsyncClient) -> None:
        fields = {"key": f"{self.prompt.key}.{next(self._numbers)}", "env": "prod"}
        answer = await client.post("/api/prompts", json={**fields, "content": fields["key"]})
        assert answer.status_code == 200, answer.text
        self.created[answer.json()["data"]["id"]] = fields["key"]

    async def _counted(self, asked: Any) -> dict[str, Any]:
        self.prompt.unanswered += 1
        answer = await asked
        assert answer.status_code == 200, answer.text
        self.prompt.unanswered -= 1
        self.prompt.acknowledged += 1
        data: dict[str, Any] = answer.json()["data"]
        return data


class Registry:
    """The database, read behind the platform's back."""

    def __init__(self, platform: PromptOps, url: str | None) -> None:
        self._file = platform.data / "promptops.db"
        self._url = url

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self._url is None:
            with contextlib.closing(sqlite3.connect(self._file)) as database:
                return database.execute(query).fetchall()
        connection = await asyncpg.connect(self._url)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> DatabaseKind:
    kind: DatabaseKind = request.param
    return kind


@pytest.mark.timeout(1200)
async def test_acknowledged_writes_survive_kill_9(
    database_kind: DatabaseKind, postgres: Postgres, pytestconfig: pytest.Config
) -> None:
    url = await postgres.new_database() if database_kind == "postgresql" else None
    settings = {} if url is None else {"database_url": url}
    kills = LONG_KILLS if pytestconfig.getoption("--long") else SHORT_KILLS
    with promptops("serve", settings) as platform:
        platform.start()
        with platform.client() as client:
            prompts = [
                created(client, "prompts", key=f"writer-{number}", env="prod", content="first")
                for number in range(WRITERS)
            ]
        writers = [Writer(prompt) for prompt in prompts]
        registry = Registry(platform, url)
        keys = [prompt["key"] for prompt in prompts]
        with watching_program(platform.url, platform.token, *keys) as program:
            for _, writes in zip(range(kills), itertools.cycle(WRITES_BEFORE_A_KILL)):
                await killed_while_writing(platform, writers, writes)
                await asyncio.to_thread(platform.start)
                await check_registry(registry, writers)
                await check_fetches(platform, registry)
            await asyncio.to_thread(shows_what_is_served, program, platform, keys)
        assert platform.stop() == 0


async def killed_while_writing(platform: PromptOps, writers: list[Writer], writes: int) -> None:
    """All write at once, and the platform is killed when so many writes are acknowledged."""
    headers = {"authorization": f"Bearer {platform.token}"}
    before = acknowledged(writers)
    async with httpx.AsyncClient(base_url=platform.url, headers=headers, timeout=30) as client:
        writing = asyncio.gather(*(writer.write(client) for writer in writers))
        async with asyncio.timeout(60):
            while acknowledged(writers) < before + writes:
                assert not writing.done(), await writing
                await asyncio.sleep(0)
        platform.kill()
        await writing


def acknowledged(writers: list[Writer]) -> int:
    return sum(writer.acknowledged for writer in writers)


async def check_registry(registry: Registry, writers: list[Writer]) -> None:
    prompts = {row[0]: row for row in await registry.rows(PROMPTS)}
    versions = await registry.rows(VERSIONS)
    changes = await registry.rows(CHANGES)
    ((revision,),) = await registry.rows(STATE)
    assert [number for number, _, _ in changes] == list(range(1, revision + 1))

    changed = Counter(resource for _, resource, _ in changes)
    audited = Counter(resource for (resource,) in await registry.rows(AUDIT))
    for prompt in (writer.prompt for writer in writers):
        assert prompts[prompt.id][4] in prompt.possible
        published = {label: content for _, owner, label, content in versions if owner == prompt.id}
        assert published.items() >= prompt.versions.items()
        most = prompt.acknowledged + prompt.unanswered
        assert prompt.acknowledged <= changed[prompt.id] <= most
        assert changed[prompt.id] == audited[prompt.id]
    for prompt_id, key in (item for writer in writers for item in writer.created.items()):
        assert prompts[prompt_id][1] == key
        assert changed[prompt_id] == 1


async def check_fetches(platform: PromptOps, registry: Registry) -> None:
    """What is fetched is what the database says."""
    versions = {row[0]: (row[2], row[3]) for row in await registry.rows(VERSIONS)}
    with platform.client() as client:
        for _, key, env, version, content, published in await registry.rows(PROMPTS):
            served = client.get(f"/api/sdk/prompts/{key}", params={"env": env}).json()
            expected = versions[published] if published else (version, content)
            assert (served["version"], served["content"]) == expected


def shows_what_is_served(program: WatchingProgram, platform: PromptOps, keys: list[str]) -> None:
    with platform.client() as client:
        for key in {*keys, *(line["key"] for line in program.shown)}:
            served = client.get(f"/api/sdk/prompts/{key}", params={"env": "prod"}).json()
            expected = (served["version"], served["content"].replace("{{who}}", "Ada"))
            eventually(partial(has_shown, program, key, expected))


def has_shown(program: WatchingProgram, key: str, expected: tuple[str, str]) -> bool:
    return program.last(key) == expected


@pytest.mark.parametrize("reached", ["instance", "promptops.db-wal"])
def test_a_first_start_that_is_killed_can_be_repeated(reached: str) -> None:
    with promptops("serve") as platform:
        platform.launch()
        eventually((platform.data / reached).exists)
        platform.kill()
        platform.start()
        with platform.client() as client:
            created(client, "prompts", key="first", env="prod", content="Hi")
            assert client.get("/api/sdk/prompts/first").json()["content"] == "Hi"
        assert platform.stop() == 0


@pytest.mark.long
def test_children_that_are_killed_in_their_first_start_come_up() -> None:
    with promptops() as platform:
        platform.launch()
        eventually((platform.data / "prefect" / "prefect.db").exists, seconds=READY_SECONDS)
        for pid in platform.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, SIGKILL)
        platform.all_gone()
        platform.wait()
        platform.start()
        with platform.client() as client:
            steps = [{"name": "loud", "type": "transform", "op": "upper"}]
            workflow = created(client, "workflows", key="first", steps=steps)
            answer = run_workflow(client, workflow)
            assert answer.status_code == 200, answer.text
        assert platform.stop() == 0
