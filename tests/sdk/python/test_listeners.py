"""What listeners may do: fetch prompts, fail, be slow, close the client."""

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
    """Run the functions concurrently; fails if they wait for each other."""
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert not any(thread.is_alive() for thread in threads), "a deadlock"


def test_a_listener_may_fetch_the_prompt_of_its_event(
    server: SdkServer, client: PromptOpsClient
) -> None:
    rendered: list[str] = []
    client.on_error(lambda _: rendered.append(client.render("refused", default="of the error")))
    client.on_delete(
        lambda deletion: rendered.append(client.render(deletion["key"], default="of the end"))
    )
    server.bodies["refused"] = REFUSED
    server.put("gone", "one")
    client.get_prompt("gone")
    del server.prompts["gone"]
    in_threads(lambda: client.render("refused", default="x"))
    in_threads(lambda: client.get_prompt("gone", refresh=True, default="x"))
    assert rendered == ["of the error", "of the end"]


def test_listeners_in_two_threads_may_fetch_each_others_prompt(
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


def test_a_deletion_detected_by_a_refetch_notifies_without_a_lock(
    server: SdkServer, client: PromptOpsClient
) -> None:
    notifications = threading.Event()

    def on_delete(deletion: Deletion) -> None:
        assert client.render(deletion["key"], default="d") == "d"
        notifications.set()

    client.on_delete(on_delete)
    server.put("gone", "one")
    client.get_prompt("gone")
    client.watch()
    watcher = server.watcher()
    del server.prompts["gone"]
    watcher.tell(event("gone"))
    assert notifications.wait(DEADLINE)


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
    notifications: asyncio.Queue[str] = asyncio.Queue()

    def fail(_: Update) -> None:
        raise fault

    async def fail_later(_: Update) -> None:
        raise fault

    server.put("greeting", "one")
    await aio.watch(fail if at_once else fail_later)
    await aio.watch(lambda update: notifications.put(update["prompt"]["content"]))
    watcher = await watcher_of(server)
    for content in ("one", "two"):
        server.put("greeting", content)
        watcher.tell(event("greeting"))
        assert await asyncio.wait_for(notifications.get(), DEADLINE) == content
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
    # The server sends its close frame, and does not wait longer for ours.
    assert (await asyncio.to_thread(watcher.receive))[0] == 8
    watcher.drop()
    await asyncio.wait_for(closed.wait(), DEADLINE)


async def test_close_ends_a_listener_that_does_not_end(
    server: SdkServer, aio: AsyncPromptOpsClient
) -> None:
    started = asyncio.Event()
    ended: list[bool] = []

    async def on_error(_: PromptOpsError) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    aio.on_error(on_error)
    server.bodies["greeting"] = REFUSED
    assert await aio.render("greeting", default="d") == "d"
    await asyncio.wait_for(started.wait(), DEADLINE)
    await aio.close()
    assert ended == [True]


async def test_listeners_are_notified_in_the_order_of_events(
    server: SdkServer, aio: AsyncPromptOpsClient
) -> None:
    notifications: asyncio.Queue[str] = asyncio.Queue()
    go_on = asyncio.Event()

    async def on_delete(_: Deletion) -> None:
        await go_on.wait()
        await notifications.put("deleted")

    aio.on_delete(on_delete)
    server.put("greeting", "one")
    await aio.get_prompt("greeting")
    await aio.watch(lambda update: notifications.put(update["prompt"]["content"]))
    watcher = await watcher_of(server)
    del server.prompts["greeting"]
    with pytest.raises(PromptOpsError):
        await aio.get_prompt("greeting", refresh=True)
    server.put("greeting", "two")
    watcher.tell(event("greeting"))
    server.put("sentinel", "")
    # The watch fetches both, if listeners delay only each other.
    await aio.get_prompt("greeting")
    go_on.set()
    assert [await asyncio.wait_for(notifications.get(), DEADLINE) for _ in range(2)] == [
        "deleted",
        "two",
    ]


def test_only_refusals_call_on_error(server: SdkServer, client: PromptOpsClient) -> None:
    client.on_error(lambda error: pytest.fail(str(error)))
    server.bodies["greeting"] = (503, b'{"error":"the database is locked"}')
    with pytest.raises(ServerError):
        client.get_prompt("greeting")
