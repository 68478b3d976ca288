"""A watch with a place in the feed, where the scenarios that all SDKs share can't look."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness.processes import eventually
from harness.scenario_server import ScenarioServer
from harness.sdk_server import DEADLINE
from promptops import NotFoundError, PromptOpsClient


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


def test_an_answer_from_before_a_deletion_does_not_bring_the_prompt_back(
    server: ScenarioServer, client: PromptOpsClient
) -> None:
    put(server, "greeting", "one")
    assert client.render("greeting") == "one"
    client.watch()
    reported(server, {"type": "applied", "revision": 2})
    asked = server.fetches("greeting")
    server.scripts["greeting"] = deque([{"hang": True}])
    with ThreadPoolExecutor(1) as threads:
        refresh = threads.submit(client.get_prompt, "greeting", True)
        eventually(lambda: server.fetches("greeting") > asked)
        event = {"type": "prompt.deleted", "key": "greeting", "version": ""}
        server.publish(None, event, tell=True)
        reported(server, {"type": "applied", "revision": 3})
        server.released.set()
        with pytest.raises(NotFoundError):
            refresh.result(DEADLINE)
    with pytest.raises(NotFoundError):
        client.get_prompt("greeting")


def test_more_than_a_thousand_keys_are_said_to_be_all(
    server: ScenarioServer, client: PromptOpsClient
) -> None:
    for number in range(1001):
        key = f"key-{number}"
        server.prompts[key] = {"key": key, "version": "v1", "content": "x"}
        client.get_prompt(key)
    client.watch()
    reported(server, {"type": "holding", "keys": ["*"]})
    reported(server, {"type": "applied", "revision": 1})


def test_five_hundred_keys_are_said_in_one_frame(
    server: ScenarioServer, client: PromptOpsClient
) -> None:
    keys = sorted(f"a-key-of-some-length-{number}" for number in range(500))
    for key in keys:
        server.prompts[key] = {"key": key, "version": "v1", "content": "x"}
        client.get_prompt(key)
    client.watch()
    reported(server, {"type": "holding", "keys": keys})
