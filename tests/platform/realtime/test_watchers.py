"""Hot reload over a real WebSocket, with what existing clients rely on."""

import asyncio
import base64
import json
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harness.platform import (
    TOKEN,
    WAIT_SECONDS,
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    next_event,
    running_platform,
    until,
)
from harness.postgres import Postgres
from promptops_platform.clock import FakeClock


async def test_each_change_of_what_is_fetched_is_sent(platform: RunningPlatform) -> None:
    async with platform.watch(namespace="prod") as watcher:
        prompt = await platform.create(env="prod", content="one")
        url = f"/api/prompts/{prompt['id']}"
        await platform.http.put(url, json={"content": "two"})
        await platform.publish(prompt["id"])
        await platform.http.put(url, json={"content": "a draft"})
        await platform.publish(prompt["id"])
        back = {"id": prompt["id"], "version": "v1"}
        await platform.http.post("/api/prompts/rollback", json=back)
        got = [await next_event(watcher) for _ in range(5)]
    assert [(event["type"], event["version"]) for event in got] == [
        ("prompt.updated", "v1"),
        ("prompt.updated", "v1"),
        ("prompt.published", "v1"),
        ("prompt.published", "v2"),
        ("prompt.updated", "v1"),
    ]
    assert list(got[0]) == ["type", "id", "key", "env", "version"]
    assert {(event["id"], event["key"], event["env"]) for event in got} == {
        (prompt["id"], prompt["key"], "prod")
    }


async def test_the_change_is_visible_when_its_event_arrives(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", content="0")

    async def edit() -> None:
        for number in range(1, 21):
            await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": str(number)})

    async with platform.watch(namespace="prod") as watcher:
        editing = asyncio.create_task(edit())
        seen = 0
        while seen < 20:
            await next_event(watcher)
            content = int((await platform.fetch(prompt["key"])).json()["content"])
            assert content >= seen + 1
            seen += 1
        await editing


async def test_only_the_namespace_is_sent_and_without_one_all(platform: RunningPlatform) -> None:
    async with (
        platform.watch(namespace="prod") as prod,
        platform.watch(env="test") as test,
        platform.watch() as every,
    ):
        for env in ("dev", "test", "prod"):
            await platform.create(env=env)
        assert (await next_event(prod))["env"] == "prod"
        assert (await next_event(test))["env"] == "test"
        assert [(await next_event(every))["env"] for _ in range(3)] == ["dev", "test", "prod"]


async def test_deletions_moves_and_workflows_are_not_sent(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod")
    async with platform.watch(namespace="prod") as watcher:
        await platform.http.put(f"/api/prompts/{prompt['id']}", json={"env": "test"})
        await platform.http.delete(f"/api/prompts/{prompt['id']}")
        await platform.http.post("/api/workflows", json={"key": new_key(), "steps": []})
        last = await platform.create(env="prod")
        assert (await next_event(watcher))["key"] == last["key"]


async def test_a_prompt_that_another_workspace_hides_is_not_sent(
    platform: RunningPlatform,
) -> None:
    key = new_key()
    made = await platform.http.post("/api/workspaces", json={"name": key})
    workspace = made.json()["data"]["id"]
    await platform.create(key, env="prod")
    async with (
        platform.watch(namespace="prod") as watcher,
        platform.watch(namespace="prod", workspace=workspace) as member,
    ):
        hidden = await platform.create(key, env="prod", workspace=workspace)
        last = await platform.create(env="prod")
        assert (await next_event(watcher))["id"] == last["id"]
        assert (await next_event(member))["id"] == hidden["id"]


async def test_a_wrong_token_is_refused_at_the_handshake(platform: RunningPlatform) -> None:
    for query in ("", "?token=wrong"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{platform.port}/ws{query}")
        assert refused.value.response.status_code == 401
        assert "error" in json.loads(refused.value.response.body or b"")


async def test_the_token_may_come_in_the_header(platform: RunningPlatform) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with connect(
        f"ws://127.0.0.1:{platform.port}/ws?namespace=prod", additional_headers=headers
    ) as watcher:
        prompt = await platform.create(env="prod")
        assert (await next_event(watcher))["id"] == prompt["id"]


async def test_live_clients_are_listed_until_they_leave(platform: RunningPlatform) -> None:
    async with platform.watch(namespace="prod", client="node", app="shop-7"):
        clients = (await platform.http.get("/api/clients")).json()["data"]
        client = clients[0]
        assert next(iter(client)) == "id"
        assert (client["client_type"], client["app"]) == ("node", "shop-7")
        assert (client["namespace"], client["remote_addr"]) == ("prod", "127.0.0.1")
    hub = platform.platform.realtime.hub
    await until(lambda: all(connection.client.app != "shop-7" for connection in hub.connections()))


async def raw_handshake(
    platform: RunningPlatform,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """As the oldest clients do it: no library, no pongs."""
    reader, writer = await asyncio.open_connection("127.0.0.1", platform.port)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        (
            f"GET /ws?token={TOKEN}&namespace=prod HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
    )
    return reader, writer


async def test_nothing_comes_with_the_handshakes_answer(platform: RunningPlatform) -> None:
    stop = asyncio.Event()

    async def keep_changing() -> None:
        prompt = await platform.create(env="prod")
        while not stop.is_set():
            await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "x"})

    changing = asyncio.create_task(keep_changing())
    try:
        for _ in range(10):
            reader, writer = await raw_handshake(platform)
            segment = await reader.read(65536)
            assert segment.endswith(b"\r\n\r\n"), segment
            # On a busy machine a ping may go before the first event.
            while b'"type"' not in segment:
                segment = await asyncio.wait_for(reader.read(65536), WAIT_SECONDS)
            writer.close()
    finally:
        stop.set()
        await changing


@pytest.mark.trial
async def test_pings_come_and_a_client_that_never_answers_stays(
    platform: RunningPlatform,
) -> None:
    reader, writer = await raw_handshake(platform)
    await reader.readuntil(b"\r\n\r\n")
    started = time.monotonic()
    for _ in range(3):
        frame = await asyncio.wait_for(reader.readexactly(6), WAIT_SECONDS)
        assert frame[0] == 0x89
    assert time.monotonic() - started > 3
    prompt = await platform.create(env="prod")
    assert prompt["key"].encode() in await asyncio.wait_for(reader.read(65536), WAIT_SECONDS)
    writer.close()


async def test_a_watch_ends_with_its_session(platform: RunningPlatform) -> None:
    login = {"username": "admin", "password": "admin"}
    token = (await platform.http.post("/api/login", json=login)).json()["token"]
    async with platform.watch(token=token) as watcher, platform.watch() as other:
        async with platform.client(token) as client:
            await client.post("/api/logout")
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(watcher.recv(), WAIT_SECONDS)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
        prompt = await platform.create()
        assert (await next_event(other))["id"] == prompt["id"]


async def test_an_event_of_a_prompt_that_is_gone_meanwhile_is_dropped(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    """Within the quiet time after the handshake, when nothing is sent yet; here it lasts until the
    clock is moved."""
    clock = FakeClock()
    settings = await new_settings(database_kind, postgres, data_folder)
    async with (
        running_platform(settings, clock) as platform,
        platform.watch(namespace="prod") as watcher,
    ):
        gone = await platform.create(env="prod")
        await platform.http.delete(f"/api/prompts/{gone['id']}")
        last = await platform.create(env="prod")
        clock.advance(timedelta(seconds=1))
        assert (await next_event(watcher))["id"] == last["id"]


async def test_a_deletion_that_uncovers_another_workspaces_prompt_is_an_update(
    platform: RunningPlatform,
) -> None:
    key = new_key()
    made = await platform.http.post("/api/workspaces", json={"name": key})
    below = await platform.create(key, env="prod", workspace=made.json()["data"]["id"])
    above = await platform.create(key, env="prod")
    async with platform.watch(namespace="prod") as watcher:
        await platform.http.delete(f"/api/prompts/{above['id']}")
        event = await next_event(watcher)
    assert (event["type"], event["id"], event["key"]) == ("prompt.updated", below["id"], key)


async def test_a_deletion_of_what_was_not_fetched_is_no_event(platform: RunningPlatform) -> None:
    """Neither below, nor beside the workspace that is watched: nothing fetched has changed."""
    key = new_key()
    made = await platform.http.post("/api/workspaces", json={"name": key})
    other = made.json()["data"]["id"]
    below = await platform.create(key, env="prod", workspace=other)
    above = await platform.create(key, env="prod")
    async with (
        platform.watch(namespace="prod") as watcher,
        platform.watch(namespace="prod", workspace=other) as beside,
    ):
        await platform.http.delete(f"/api/prompts/{above['id']}")
        assert (await next_event(watcher))["id"] == below["id"]
        above = await platform.create(key, env="prod")
        assert (await next_event(watcher))["id"] == above["id"]
        await platform.http.delete(f"/api/prompts/{below['id']}")
        last = await platform.create(env="prod")
        assert (await next_event(watcher))["id"] == last["id"]
        last = await platform.create(env="prod", workspace=other)
        assert (await next_event(beside))["id"] == last["id"]
