"""The asyncio client, beyond the scenarios that it shares with the others."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import promptops
from harness.sdk_server import CLOSE, DEADLINE, PONG, TEXT, Hold, SdkServer, Watcher, event, frame
from promptops import (
    AsyncPromptOpsClient,
    ClientClosedError,
    NotFoundError,
    RequestTimeoutError,
    ServerUnreachableError,
    Update,
)

MakeClient = Callable[..., AsyncPromptOpsClient]
SDK_FOLDER = str(Path(promptops.__file__).parent)


@pytest.fixture
async def client(server: SdkServer) -> AsyncIterator[AsyncPromptOpsClient]:
    """Closes the client at the end; none of its tasks may be left then (a platform may share the
    loop)."""
    tasks_before = asyncio.all_tasks()
    client = AsyncPromptOpsClient(server.url)
    yield client
    server.drop_connections()
    await client.close()
    started = asyncio.all_tasks() - tasks_before - {asyncio.current_task()}
    assert [task for task in started if is_of_the_sdk(task)] == []


def is_of_the_sdk(task: asyncio.Task[Any]) -> bool:
    source = getattr(task.get_coro(), "cr_code", None)
    is_named = task.get_name().startswith("promptops")
    return is_named or (source is not None and source.co_filename.startswith(SDK_FOLDER))


async def test_a_task_of_the_sdk_is_recognized(client: AsyncPromptOpsClient) -> None:
    fetch = asyncio.create_task(client.get_prompt("greeting"))
    other = asyncio.create_task(asyncio.sleep(0))
    assert (is_of_the_sdk(fetch), is_of_the_sdk(other)) == (True, False)
    fetch.cancel()
    await asyncio.wait([fetch, other])


async def watcher_of(server: SdkServer) -> Watcher:
    return await asyncio.to_thread(server.watcher)


async def test_one_connection_for_many_requests(
    server: SdkServer, client: AsyncPromptOpsClient
) -> None:
    server.put("greeting", "Hello {{who}}!")
    for _ in range(3):
        await client.get_prompt("greeting", refresh=True)
        with pytest.raises(NotFoundError):
            await client.get_prompt("missing")
    assert len({request.connection for request in server.requests}) == 1
    server.stop()
    server.start()
    assert (await client.get_prompt("greeting", refresh=True))["source"] == "server"
    assert await client.render("greeting", {"who": "Ada"}) == "Hello Ada!"
    assert server.requests[2].headers["if-none-match"].startswith('"')


async def test_a_caller_that_is_cancelled_does_not_end_the_fetch_of_the_others(
    server: SdkServer, client: AsyncPromptOpsClient
) -> None:
    server.put("greeting", "one")
    hold = server.holds["greeting"] = Hold()
    first = asyncio.create_task(client.get_prompt("greeting"))
    second = asyncio.create_task(client.get_prompt("greeting"))
    await asyncio.to_thread(hold.wait_for_request)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    hold.release()
    assert (await second)["content"] == "one"
    assert server.fetches("greeting") == 1


async def test_a_refresh_does_not_use_an_earlier_fetch(
    server: SdkServer, client: AsyncPromptOpsClient
) -> None:
    server.put("greeting", "one")
    hold = server.holds["greeting"] = Hold()
    first = asyncio.create_task(client.get_prompt("greeting"))
    await asyncio.to_thread(hold.wait_for_request)
    server.put("greeting", "two")
    refreshes = [asyncio.create_task(client.get_prompt("greeting", True)) for _ in range(5)]
    await asyncio.sleep(0)
    hold.release()
    assert (await first)["content"] == "one"
    assert {(await refresh)["content"] for refresh in refreshes} == {"two"}
    assert server.fetches("greeting") == 2


async def test_close_ends_a_fetch_that_waits(
    server: SdkServer, client: AsyncPromptOpsClient
) -> None:
    server.put("greeting", "one")
    hold = server.holds["greeting"] = Hold()
    fetch = asyncio.create_task(client.get_prompt("greeting"))
    await asyncio.to_thread(hold.wait_for_request)
    await client.close()
    with pytest.raises(ClientClosedError):
        await fetch
    for call in (client.get_prompt("other"), client.watch()):
        with pytest.raises(ClientClosedError):
            await call
    hold.release()


async def test_a_slow_response_times_out(server: SdkServer) -> None:
    server.holds["greeting"] = Hold()
    async with AsyncPromptOpsClient(server.url, timeout=0.3) as client:
        with pytest.raises(RequestTimeoutError, match="did not respond in time"):
            await client.get_prompt("greeting")
    server.holds["greeting"].release()


async def test_listeners_may_be_coroutines_and_fail(
    server: SdkServer, client: AsyncPromptOpsClient, caplog: pytest.LogCaptureFixture
) -> None:
    updates: asyncio.Queue[Update] = asyncio.Queue()

    async def fail(_: Update) -> None:
        raise RuntimeError("the program's fault")

    server.put("greeting", "one")
    await client.watch(fail)
    await client.watch(updates.put)
    watcher = await watcher_of(server)
    watcher.send(frame(TEXT, b'{"key":"gre', final=False))
    watcher.ping(b"between")
    watcher.send(frame(0, b'eting"}'))
    assert (await asyncio.wait_for(updates.get(), DEADLINE))["prompt"]["content"] == "one"
    assert await asyncio.to_thread(watcher.receive) == (PONG, b"between")
    assert "the program's fault" in caplog.text
    assert len(server.watchers) == 1


async def test_a_listener_may_use_and_close_the_client(
    server: SdkServer, client: AsyncPromptOpsClient
) -> None:
    done = asyncio.Event()

    async def use_and_close(update: Update) -> None:
        assert (await client.get_prompt("other", refresh=True))["content"] == "two"
        await client.close()
        done.set()

    server.put("greeting", "one")
    server.put("other", "two")
    await client.watch(use_and_close)
    (await watcher_of(server)).tell(event("greeting"))
    await asyncio.wait_for(done.wait(), DEADLINE)


async def test_close_sends_a_close_frame(server: SdkServer, client: AsyncPromptOpsClient) -> None:
    await client.watch()
    watcher = await watcher_of(server)
    closing = asyncio.create_task(client.close())
    assert (await asyncio.to_thread(watcher.receive))[0] == CLOSE
    watcher.drop()
    await closing
    assert not [t for t in threading.enumerate() if t.name.startswith("promptops")]


async def test_over_tls(certificate: tuple[Path, Path]) -> None:
    key, chain = certificate
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(chain, key)
    server = SdkServer(server_side)
    trusting = ssl.create_default_context(cafile=str(chain))
    updates: asyncio.Queue[Any] = asyncio.Queue()
    try:
        async with AsyncPromptOpsClient(server.url, ssl_context=trusting) as client:
            server.put("greeting", "x" * 300_000)
            assert len(await client.render("greeting")) == 300_000
            await client.watch(updates.put_nowait)
            watcher = await watcher_of(server)
            server.put("greeting", "two")
            watcher.send(frame(TEXT, json.dumps(event("greeting")).encode()))
            update = await asyncio.wait_for(updates.get(), DEADLINE)
            assert update["prompt"]["content"] == "two"
            server.drop_connections()
        async with AsyncPromptOpsClient(server.url) as untrusting:
            with pytest.raises(ServerUnreachableError, match="certificate verify failed"):
                await untrusting.get_prompt("greeting")
    finally:
        server.stop()
