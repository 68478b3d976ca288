"""What listeners may do: ask for prompts, fail, be slow, close the client."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from harness.sdk_server import DEADLINE, SdkServer, Watcher, event
from promptops import (
    AsyncPromptOpsClient,
    Deletion,
    PromptOpsClient,
    PromptOpsError,
    ServerError,
    Update,
)

REFUSED = (401, b'{"error":"not with this token"}')


def in_threads(*calls: Callable[[], object]) -> None:
    """Run them at the same time; a failure if they wait for each other."""
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert not any(thread.is_alive() for thread in threads), "a deadlock"


def test_a_listener_may_ask_for_the_prompt_that_it_is_told_of(
    server: SdkServer, client: PromptOpsClient
) -> None:
    heard: list[str] = []
    client.on_error(lambda _: heard.append(client.render("refused", default="of the error")))
    client.on_delete(lambda gone: heard.append(client.render(gone["key"], default="of the end")))
    server.bodies["refused"] = REFUSED
    server.put("gone", "one")
    client.get_prompt("gone")
    del server.prompts["gone"]
    in_threads(lambda: client.render("refused", default="x"))
    in_threads(lambda: client.get_prompt("gone", refresh=True, default="x"))
    assert heard == ["of the error", "of the end"]


def test_listeners_in_two_threads_may_ask_for_the_prompt_of_the_other(
    server: SdkServer, client: PromptOpsClient
) -> None:
    both_told = threading.Barrier(2, timeout=DEADLINE)

    def on_error(_: PromptOpsError) -> None:
        both_told.wait()
        for key in ("a", "b"):
            assert client.render(key, default="d") == "d"

    client.on_error(on_error)
    server.bodies |= {"a": REFUSED, "b": REFUSED}
    in_threads(*[lambda key=key: client.render(key, default="d") for key in ("a", "b")])  # type: ignore[misc]


def test_a_deletion_that_a_refetch_brings_to_light_is_told_in_peace(
    server: SdkServer, client: PromptOpsClient
) -> None:
    told = threading.Event()

    def on_delete(gone: Deletion) -> None:
        assert client.render(gone["key"], default="d") == "d"
        told.set()

    client.on_delete(on_delete)
    server.put("gone", "one")
    client.get_prompt("gone")
    client.watch()
    watcher = server.watcher()
    del server.prompts["gone"]
    watcher.tell(event("gone"))
    assert told.wait(DEADLINE)


@pytest.fixture
async def aio(server: SdkServer) -> AsyncIterator[AsyncPromptOpsClient]:
    client = AsyncPromptOpsClient(server.url)
    yield client
    server.drop_connections()
    await client.close()
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not any(name.startswith("promptops") for name in names), names


async def watcher_of(server: SdkServer) -> Watcher:
    return await asyncio.to_thread(server.watcher)


@pytest.mark.parametrize("fault", [RuntimeError, SystemExit, asyncio.CancelledError])
@pytest.mark.parametrize("at_once", [True, False], ids=["a function", "a coroutine function"])
async def test_no_failure_of_a_listener_ends_the_watch(
    server: SdkServer,
    aio: AsyncPromptOpsClient,
    fault: type[BaseException],
    at_once: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()

    def fail(_: Update) -> None:
        raise fault

    async def fail_later(_: Update) -> None:
        raise fault

    server.put("greeting", "one")
    await aio.watch(fail if at_once else fail_later)
    await aio.watch(lambda update: told.put(update["prompt"]["content"]))
    watcher = await watcher_of(server)
    for content in ("one", "two"):
        server.put("greeting", content)
        watcher.tell(event("greeting"))
        assert await asyncio.wait_for(told.get(), DEADLINE) == content
    assert len(server.watchers) == 1
    assert "failed" in caplog.text or "was cancelled" in caplog.text


async def test_a_listener_may_wait_for_the_clients_end(
    server: SdkServer, aio: AsyncPromptOpsClient
) -> None:
    closed = asyncio.Event()

    async def close(_: Update) -> None:
        await aio.close()
        closed.set()

    server.put("greeting", "one")
    await aio.get_prompt("greeting")
    await aio.watch(close)
    watcher = await watcher_of(server)
    watcher.tell(event("greeting"))
    # It says goodbye, and doesn't wait for ours any longer than that.
    assert (await asyncio.to_thread(watcher.receive))[0] == 8
    watcher.drop()
    await asyncio.wait_for(closed.wait(), DEADLINE)


async def test_close_ends_a_listener_that_does_not_end(
    server: SdkServer, aio: AsyncPromptOpsClient
) -> None:
    begun = asyncio.Event()
    ended: list[bool] = []

    async def on_error(_: PromptOpsError) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    aio.on_error(on_error)
    server.bodies["greeting"] = REFUSED
    assert await aio.render("greeting", default="d") == "d"
    await asyncio.wait_for(begun.wait(), DEADLINE)
    await aio.close()
    assert ended == [True]


async def test_listeners_are_told_in_the_order_of_what_happened(
    server: SdkServer, aio: AsyncPromptOpsClient
) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    go_on = asyncio.Event()

    async def on_delete(_: Deletion) -> None:
        await go_on.wait()
        await told.put("deleted")

    aio.on_delete(on_delete)
    server.put("greeting", "one")
    await aio.get_prompt("greeting")
    await aio.watch(lambda update: told.put(update["prompt"]["content"]))
    watcher = await watcher_of(server)
    del server.prompts["greeting"]
    with pytest.raises(PromptOpsError):
        await aio.get_prompt("greeting", refresh=True)
    server.put("greeting", "two")
    watcher.tell(event("greeting"))
    server.put("sentinel", "")
    # Both are fetched by the watch, if listeners hold up nothing but each other.
    await aio.get_prompt("greeting")
    go_on.set()
    assert [await asyncio.wait_for(told.get(), DEADLINE) for _ in range(2)] == ["deleted", "two"]


def test_errors_that_are_no_refusals_are_not_told(
    server: SdkServer, client: PromptOpsClient
) -> None:
    client.on_error(lambda error: pytest.fail(str(error)))
    server.bodies["greeting"] = (503, b'{"error":"the database is locked"}')
    with pytest.raises(ServerError):
        client.get_prompt("greeting")
