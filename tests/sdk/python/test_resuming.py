"""A watch with a position in the feed, beyond the scenarios that all SDKs share."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from harness.processes import eventually
from harness.scenario_server import ScenarioServer
from harness.sdk_server import DEADLINE
from promptops import AsyncPromptOpsClient, NotFoundError, PromptOpsClient


@pytest.fixture
def server() -> Iterator[ScenarioServer]:
    running = ScenarioServer()
    yield running
    running.released.set()
    running.stop()


@pytest.fixture
def client(server: ScenarioServer) -> Iterator[PromptOpsClient]:
    client = PromptOpsClient(server.url, token="t")
    yield client
    server.drop_connections()
    client.close()


def put(server: ScenarioServer, key: str, content: str) -> None:
    prompt = {"key": key, "version": "v1", "env": "prod", "model": "", "content": content}
    event = {"type": "prompt.published", "key": key, "version": "v1"}
    server.publish(prompt, event, tell=True)


def reported(server: ScenarioServer, message: dict[str, Any]) -> None:
    assert server.wait_for(lambda: message in server.messages, DEADLINE), server.messages


def test_a_response_older_than_a_deletion_does_not_restore_the_prompt(
    server: ScenarioServer, client: PromptOpsClient
) -> None:
    put(server, "greeting", "one")
    assert client.render("greeting") == "one"
    client.watch()
    reported(server, {"type": "applied", "revision": 2})
    fetch_count = server.fetches("greeting")
    server.scripts["greeting"] = deque([{"hang": True}])
    with ThreadPoolExecutor(1) as threads:
        refresh = threads.submit(client.get_prompt, "greeting", True)
        eventually(lambda: server.fetches("greeting") > fetch_count)
        event = {"type": "prompt.deleted", "key": "greeting", "version": ""}
        server.publish(None, event, tell=True)
        reported(server, {"type": "applied", "revision": 3})
        server.released.set()
        with pytest.raises(NotFoundError):
            refresh.result(DEADLINE)
    with pytest.raises(NotFoundError):
        client.get_prompt("greeting")


@pytest.fixture
def first_fetch(server: ScenarioServer, client: PromptOpsClient) -> Iterator[Future[str]]:
    """The first fetch of a prompt, whose response "one" is still on its way."""
    put(server, "greeting", "one")
    server.scripts["greeting"] = deque([{"hang": True}])
    with ThreadPoolExecutor(1) as threads:
        yield threads.submit(client.render, "greeting", default="none")
        server.released.set()


def watch(server: ScenarioServer, client: PromptOpsClient) -> None:
    client.watch()
    reported(server, {"type": "applied", "revision": server.revision})


def on_its_way(server: ScenarioServer) -> None:
    assert server.wait_for(lambda: server.hanging == 1, DEADLINE)


def put_before_it_comes(server: ScenarioServer, tell: bool) -> None:
    prompt = {"key": "greeting", "version": "v2", "env": "prod", "model": "", "content": "two"}
    event = {"type": "prompt.published", "key": "greeting", "version": "v2"}
    server.publish(prompt, event, tell=tell)


def test_a_change_during_the_first_fetch_is_not_lost(
    server: ScenarioServer, client: PromptOpsClient, first_fetch: Future[str]
) -> None:
    on_its_way(server)
    watch_alone(server, client)
    put_before_it_comes(server, tell=True)
    server.ping()
    server.released.set()
    assert first_fetch.result(DEADLINE) == "one"
    reported(server, {"type": "applied", "revision": 3})
    assert client.render("greeting") == "two"


def test_a_resync_during_the_first_fetch_is_not_lost(
    server: ScenarioServer, client: PromptOpsClient, first_fetch: Future[str]
) -> None:
    on_its_way(server)
    watch_alone(server, client)
    put_before_it_comes(server, tell=False)
    server.send_text(json.dumps({"type": "resync", "epoch": server.epoch, "revision": 3}))
    server.ping()
    server.released.set()
    assert first_fetch.result(DEADLINE) == "one"
    reported(server, {"type": "applied", "revision": 3})
    assert client.render("greeting") == "two"


def test_a_watch_that_begins_during_the_first_fetch_misses_nothing(
    server: ScenarioServer, client: PromptOpsClient, first_fetch: Future[str]
) -> None:
    on_its_way(server)
    put_before_it_comes(server, tell=False)
    watch_alone(server, client)
    server.released.set()
    assert first_fetch.result(DEADLINE) == "one"
    reported(server, {"type": "applied", "revision": 3})
    assert client.render("greeting") == "two"


def test_a_deletion_during_the_first_fetch_is_not_lost(
    server: ScenarioServer, client: PromptOpsClient, first_fetch: Future[str]
) -> None:
    on_its_way(server)
    watch_alone(server, client)
    event = {"type": "prompt.deleted", "key": "greeting", "version": ""}
    server.publish(None, event, tell=True)
    reported(server, {"type": "applied", "revision": 3})
    server.released.set()
    assert first_fetch.result(DEADLINE) == "none"
    assert client.render("greeting", default="none") == "none"


def watch_alone(server: ScenarioServer, client: PromptOpsClient) -> None:
    """The same with a watch, which receives the event during the fetch and has no other work."""
    client.watch()
    server.watcher()
    server.ping()


def test_an_outdated_first_copy_is_refetched(
    server: ScenarioServer, client: PromptOpsClient
) -> None:
    put(server, "greeting", "one")
    watch(server, client)
    put(server, "greeting", "two")
    reported(server, {"type": "applied", "revision": 3})
    lagging = {"key": "greeting", "version": "v1", "env": "prod", "model": "", "content": "one"}
    server.scripts["greeting"] = deque([{"status": 200, "prompt": lagging, "revision": 2}])
    assert client.render("greeting") == "one"
    eventually(lambda: client.render("greeting") == "two")
    query = server.fetched("greeting")[-1]["query"]
    assert (query["min_revision"], query["epoch"]) == ("3", "epoch-1")


def test_a_404_of_a_replica_that_lags_forgets_nothing(
    server: ScenarioServer, client: PromptOpsClient
) -> None:
    put(server, "greeting", "one")
    assert client.render("greeting") == "one"
    stamp = {"x-promptops-revision": "1", "x-promptops-epoch": "epoch-1"}
    server.scripts["greeting"] = deque([{"status": 404, "headers": stamp}] * 2)
    assert client.get_prompt("greeting", refresh=True)["source"] == "memory"
    stamp = {"x-promptops-revision": "3", "x-promptops-epoch": "epoch-1"}
    server.scripts["greeting"] = deque([{"status": 404, "headers": stamp}])
    with pytest.raises(NotFoundError):
        client.get_prompt("greeting", refresh=True)


async def test_a_change_during_the_first_fetch_is_not_lost_for_asyncio(
    server: ScenarioServer,
) -> None:
    put(server, "greeting", "one")
    server.scripts["greeting"] = deque([{"hang": True}])
    async with AsyncPromptOpsClient(server.url, token="t") as client:
        first_fetch = asyncio.create_task(client.render("greeting"))
        await asyncio.to_thread(on_its_way, server)
        await client.watch()
        await asyncio.to_thread(server.watcher)
        await asyncio.to_thread(server.ping)
        put_before_it_comes(server, tell=True)
        await asyncio.to_thread(server.ping)
        server.released.set()
        assert await asyncio.wait_for(first_fetch, DEADLINE) == "one"
        await asyncio.to_thread(reported, server, {"type": "applied", "revision": 3})
        assert await client.render("greeting") == "two"


def test_more_than_a_thousand_keys_are_reported_as_all(
    server: ScenarioServer, client: PromptOpsClient
) -> None:
    for number in range(1001):
        key = f"key-{number}"
        server.prompts[key] = {"key": key, "version": "v1", "content": "x"}
        client.get_prompt(key)
    client.watch()
    reported(server, {"type": "holding", "keys": ["*"]})
    reported(server, {"type": "applied", "revision": 1})


def test_five_hundred_keys_are_reported_in_one_frame(
    server: ScenarioServer, client: PromptOpsClient
) -> None:
    keys = sorted(f"a-key-of-some-length-{number}" for number in range(500))
    for key in keys:
        server.prompts[key] = {"key": key, "version": "v1", "content": "x"}
        client.get_prompt(key)
    client.watch()
    reported(server, {"type": "holding", "keys": keys})
