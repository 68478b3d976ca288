"""An asyncio client continues in another event loop, which each `asyncio.run` creates; in loops of
asyncio and of uvloop, which web servers use."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop

from harness.sdk_server import SdkServer, event
from promptops import AsyncPromptOpsClient, ClientClosedError
from promptops.testing import AsyncFakePromptOps

Call = Callable[[], Coroutine[Any, Any, Any]]
new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop


@pytest.fixture(
    autouse=True,
    params=[asyncio.new_event_loop, uvloop.new_event_loop],
    ids=["asyncio", "uvloop"],
)
def _loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "new_loop", request.param)


def run(call: Call) -> Any:
    """Run in a new loop in a separate thread, away from pytest's loop."""
    outcome: list[Any] = []

    def run_it() -> None:
        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                outcome.append(runner.run(call()))
        except BaseException as error:  # noqa: BLE001 (raised below)
            outcome.append(error)

    thread = threading.Thread(target=run_it)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


@pytest.fixture
def client(server: SdkServer) -> Iterator[AsyncPromptOpsClient]:
    client = AsyncPromptOpsClient(server.url)
    yield client
    server.drop_connections()
    run(client.close)


@pytest.fixture(autouse=True)
def _nothing_is_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with warnings.catch_warnings():
        # Leftovers of other tests stay, and collections do not look at them.
        gc.freeze()
        warnings.simplefilter("error", ResourceWarning)
        yield
        gc.collect()
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_a_second_loop_fetches(server: SdkServer, client: AsyncPromptOpsClient) -> None:
    server.put("a", "one")
    server.put("b", "two")
    assert run(lambda: client.render("a")) == "one"
    assert run(lambda: client.render("b")) == "two"
    # Without a watch, a copy that is not old is still returned.
    assert run(lambda: client.get_prompt("a"))["source"] == "memory"
    assert server.fetches("a") == 1


def test_the_default_in_a_second_loop(server: SdkServer, client: AsyncPromptOpsClient) -> None:
    server.put("a", "one")
    run(lambda: client.render("a"))
    server.stop()
    assert run(lambda: client.render("b", default="d")) == "d"
    assert run(lambda: client.get_prompt("a", refresh=True))["source"] == "memory"
    server.start()


def test_the_watch_continues_in_a_second_loop(
    server: SdkServer, client: AsyncPromptOpsClient
) -> None:
    server.put("greeting", "one")

    async def begin() -> None:
        await client.watch()
        await asyncio.to_thread(server.watcher)
        assert await client.render("greeting") == "one"

    async def go_on() -> None:
        # The first result includes the changes in between.
        assert await client.render("greeting") == "two"
        watcher = await asyncio.to_thread(server.watcher)
        server.put("greeting", "three")
        watcher.tell(event("greeting"))
        while await client.render("greeting") != "three":
            await asyncio.sleep(0)
        watcher.drop()

    run(begin)
    server.put("greeting", "two")
    run(go_on)


def test_listeners_are_notified_in_a_second_loop(
    server: SdkServer, client: AsyncPromptOpsClient
) -> None:
    server.put("greeting", "one")
    contents: list[str] = []

    async def note(update: Any) -> None:
        contents.append(update["prompt"]["content"])

    async def begin() -> None:
        await client.watch(note)
        await asyncio.to_thread(server.watcher)
        await client.get_prompt("greeting")

    async def go_on() -> None:
        await client.watch()
        watcher = await asyncio.to_thread(server.watcher)
        server.put("greeting", "two")
        watcher.tell(event("greeting"))
        while "two" not in contents:
            await asyncio.sleep(0)
        watcher.drop()

    run(begin)
    run(go_on)


def test_close_in_a_second_loop(server: SdkServer) -> None:
    client = AsyncPromptOpsClient(server.url)
    server.put("greeting", "one")

    async def begin() -> None:
        await client.watch()
        await client.get_prompt("greeting")

    run(begin)
    run(client.close)
    run(client.close)
    with pytest.raises(ClientClosedError):
        run(lambda: client.get_prompt("other"))
    with pytest.raises(ClientClosedError):
        run(client.preload)
    assert run(lambda: client.render("greeting")) == "one"


def test_the_client_leaves_a_loop_that_still_runs(
    server: SdkServer, client: AsyncPromptOpsClient
) -> None:
    server.put("greeting", "one")
    may_end, entered = threading.Event(), threading.Event()

    async def stay() -> None:
        await client.watch()
        first = await asyncio.to_thread(server.watcher)
        await client.get_prompt("greeting")
        entered.set()
        await asyncio.to_thread(may_end.wait)
        await asyncio.to_thread(first.ended.wait, 10)

    async def enter() -> None:
        server.put("greeting", "two")
        assert await client.render("greeting") == "two"
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert names.count("promptops-watch") == 1

    staying = threading.Thread(target=lambda: asyncio.run(stay()))
    staying.start()
    entered.wait()
    run(enter)
    may_end.set()
    server.drop_connections()
    staying.join()


def test_the_fake_in_a_second_loop() -> None:
    fake = AsyncFakePromptOps({"greeting": "one"})

    async def begin() -> None:
        await fake.watch()
        assert await fake.render("greeting") == "one"

    async def go_on() -> None:
        await fake.set("greeting", "two")
        assert await fake.render("greeting") == "two"

    run(begin)
    run(go_on)
    run(fake.close)
