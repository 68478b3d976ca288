"""Watchers of every SDK while servers die and the network fails: in the end each of them holds
what is served, and nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from harness.bad_network import FAULTS, FAULTS_THAT_TAKE_LONG, BadNetwork, bad_network
from harness.driven_watchers import State, Watchers, driven_watchers, number_of
from harness.postgres import Postgres
from harness.publisher import Publisher, publishing
from harness.sdk_drivers import COMMANDS
from harness.up import PromptOps, created, promptops

pytestmark = pytest.mark.trial

KEYS = [f"key-{number:02}" for number in range(20)]
RATE = 50.0


@dataclass(frozen=True)
class Extent:
    """How much of everything; `publishes` is what is acknowledged between two faults."""

    watchers: int
    rounds: int
    publishes: int
    faults: Sequence[str]


SHORT = Extent(watchers=len(COMMANDS), rounds=1, publishes=10, faults=FAULTS)
LONG = Extent(watchers=20, rounds=5, publishes=100, faults=FAULTS_THAT_TAKE_LONG)


@pytest.fixture
def extent(pytestconfig: pytest.Config) -> Extent:
    return LONG if pytestconfig.getoption("--long") else SHORT


class Trial:
    """Publisher, network and watchers of one registry."""

    def __init__(
        self, extent: Extent, network: BadNetwork, publisher: Publisher, watchers: Watchers
    ) -> None:
        self.network = network
        self._extent = extent
        self._publisher = publisher
        self._watchers = watchers

    async def go_on(self) -> None:
        """Until so much more was published."""
        await self._publisher.more(self._extent.publishes)
        self._watchers.check()

    async def cut_network(self) -> None:
        """Nobody gets through for a while, and what comes after that is bad."""
        self.network.faults = self._extent.faults
        await self.network.shut()
        await self.go_on()
        await self.network.open()
        await self.go_on()


@asynccontextmanager
async def trial(
    extent: Extent, servers: Sequence[PromptOps], *, running: int = 1
) -> AsyncIterator[Trial]:
    """Everything runs within the block, first with so many of the servers. At its end the network
    is well again, and what the watchers hold is compared with what is served."""
    first = servers[0]
    with first.client() as client:
        made = [created(client, "prompts", key=key, env="prod", content=key) for key in KEYS]
    before = await asyncio.to_thread(snapshot, first)
    async with bad_network([server.port for server in servers[:running]]) as network:
        publisher = Publisher(network.targets, first.token, [prompt["id"] for prompt in made])
        with driven_watchers(extent.watchers) as watchers:
            address = f"http://127.0.0.1:{network.port}"
            await asyncio.to_thread(watchers.watch, address, first.token, KEYS)
            began = time.monotonic()
            async with publishing(publisher, RATE):
                yield Trial(extent, network, publisher, watchers)
            took = time.monotonic() - began
            network.faults = ()
            server = next(
                candidate for candidate in servers if candidate.port == network.targets[-1]
            )
            await asyncio.to_thread(watchers.stop)
            await asyncio.to_thread(watchers.hold, lambda: state_of(snapshot(server)))
            served = await asyncio.to_thread(snapshot, server)
            assert served["epoch"] == before["epoch"]
            converged = time.monotonic() - began - took
            check_versions(server, publisher, state_of(served))
            assert all(
                watcher.highest_revision <= served["revision"] for watcher in watchers.members
            )
            report(publisher, network, watchers, took, converged)


def snapshot(server: PromptOps) -> dict[str, Any]:
    with server.client() as client:
        answer = client.get("/api/sdk/snapshot", params={"env": "prod"})
    assert answer.status_code == 200, answer.text
    served: dict[str, Any] = answer.json()
    return served


def state_of(served: dict[str, Any]) -> State:
    return {prompt["key"]: (prompt["version"], prompt["content"]) for prompt in served["prompts"]}


def check_versions(server: PromptOps, publisher: Publisher, state: State) -> None:
    """Each acknowledged publish is there, and none of them is newer than what is served."""
    with server.client() as client:
        for prompt, acknowledged in publisher.acknowledged.items():
            answer = client.get(f"/api/prompts/{prompt}/versions")
            versions = {version["version"]: version["content"] for version in answer.json()["data"]}
            assert versions.items() >= acknowledged.items()
            key = client.get(f"/api/prompts/{prompt}").json()["data"]["key"]
            newest = max(acknowledged, key=number_of, default="v1")
            assert number_of(state[key][0]) >= number_of(newest)


def report(
    publisher: Publisher, network: BadNetwork, watchers: Watchers, took: float, converged: float
) -> None:
    """What has happened, for whoever runs the long trial with -s."""
    figures = {
        "published": publisher.count,
        "unanswered": publisher.unanswered,
        "seconds": round(took, 1),
        "converged_seconds": round(converged, 1),
        "faults": dict(network.struck),
        "watchers": {
            watcher.name: [watcher.answers, watcher.updates] for watcher in watchers.members
        },
    }
    print(json.dumps(figures))


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_watchers_hold_what_is_served_after_kill_9(extent: Extent) -> None:
    with promptops("serve") as platform:
        await asyncio.to_thread(platform.start)
        async with trial(extent, [platform]) as running:
            for _ in range(extent.rounds):
                await running.go_on()
                await running.cut_network()
                platform.kill()
                await asyncio.to_thread(platform.start)
            await running.go_on()
        assert platform.stop() == 0


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_watchers_hold_what_is_served_while_replicas_come_and_go(
    extent: Extent, postgres: Postgres
) -> None:
    settings = {"database_url": await postgres.new_database()}
    with ExitStack() as stack:
        servers = [stack.enter_context(promptops("serve", settings)) for _ in range(3)]
        for server in servers[:2]:
            await asyncio.to_thread(server.start)
        async with trial(extent, servers, running=2) as running:
            ports = running.network.targets
            for number in range(extent.rounds):
                added, removed = servers[(number + 2) % 3], servers[number % 3]
                await running.go_on()
                await asyncio.to_thread(added.start)
                ports.append(added.port)
                await running.cut_network()
                # In turn by force and in order; either way it is still asked for some time.
                if number % 2:
                    assert await asyncio.to_thread(removed.stop) == 0
                else:
                    removed.kill()
                await running.go_on()
                ports.remove(removed.port)
            await running.go_on()
