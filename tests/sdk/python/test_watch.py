"""The watch: refetches, notifications, and failures that do not end it."""

from __future__ import annotations

import logging
import queue
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.processes import eventually
from harness.sdk_server import (
    BINARY,
    CLOSE,
    DEADLINE,
    PONG,
    TEXT,
    Hold,
    SdkServer,
    Watcher,
    event,
    frame,
)
from promptops import PromptOpsClient, ServerUnreachableError, Update
from promptops.version import VERSION

MakeClient = Callable[..., PromptOpsClient]


NO_KEYS = [b'{"key":"\\ud800"}', b'{"key":".."}']


class Updates:
    """An `on_update` listener to wait for."""

    def __init__(self) -> None:
        self._updates: queue.Queue[Update] = queue.Queue()

    def __call__(self, update: Update) -> None:
        self._updates.put(update)

    def next(self) -> Update:
        return self._updates.get(timeout=DEADLINE)

    def next_content(self) -> tuple[str, str]:
        update = self.next()
        return update["key"], update["prompt"]["content"]

    def empty(self) -> bool:
        return self._updates.empty()


@pytest.fixture
def updates() -> Updates:
    return Updates()


def watching(server: SdkServer, client: PromptOpsClient, updates: Updates) -> Watcher:
    """Start the watch, and wait until it has refreshed all cached prompts on its new connection."""
    client.watch(updates)
    watcher = server.watcher()
    wait_until_refreshed(server, watcher, updates)
    return watcher


def wait_until_refreshed(server: SdkServer, watcher: Watcher, updates: Updates) -> None:
    """Wait until all cached prompts were refreshed on this connection without a change.

    Changes before that may notify twice: by the refresh and by their own event.
    """
    server.put("sentinel", "")
    watcher.tell(event("sentinel"))
    assert updates.next()["key"] == "sentinel"


def test_a_change_reaches_the_program(
    server: SdkServer, client: PromptOpsClient, updates: Updates
) -> None:
    server.put("greeting", "one")
    client.get_prompt("greeting")
    watcher = watching(server, client, updates)
    server.put("greeting", "two", "v2")
    change = event("greeting", "v2", "prompt.published")
    watcher.tell(change)
    update = updates.next()
    assert (update["key"], update["event"]) == ("greeting", change)
    assert update["prompt"].items() >= server.prompts["greeting"].items()
    assert client.render("greeting") == "two"


def test_how_it_connects(server: SdkServer, make_client: MakeClient) -> None:
    client = make_client(namespace="pröd", app_name="my app&x=1")
    client.watch()
    watcher = server.watcher()
    assert watcher.path.startswith("/ws?")
    assert watcher.query == {
        "client": "python",
        "version": VERSION,
        "app": "my app&x=1",
        "namespace": "pröd",
        "since": "0",
    }
    assert watcher.headers["authorization"] == "Bearer promptops-dev-token"
    assert watcher.headers["user-agent"] == f"promptops-python/{VERSION}"
    assert "token" not in watcher.path


def test_watch_returns_even_if_no_server_responds(server: SdkServer, updates: Updates) -> None:
    server.stop()
    with PromptOpsClient(server.url) as client:
        client.watch(updates)
        server.start()
        watcher = server.watcher()
        server.put("greeting", "one")
        watcher.tell(event("greeting"))
        assert updates.next_content() == ("greeting", "one")


def test_a_program_that_has_not_fetched_yet_receives_all_changes(
    server: SdkServer, client: PromptOpsClient, updates: Updates
) -> None:
    client.watch(updates)
    watcher = server.watcher()
    server.put("new", "one")
    watcher.tell(event("new"))
    assert updates.next_content() == ("new", "one")
    assert client.render("new") == "one"
    assert server.fetches("new") == 1
    server.put("new", "two")
    watcher.drop()
    assert updates.next_content() == ("new", "two")


def test_without_a_listener_only_cached_prompts_are_refetched(
    server: SdkServer, client: PromptOpsClient
) -> None:
    server.put("held", "one")
    server.put("other", "one")
    client.get_prompt("held")
    first_fetch = server.holds["held"] = Hold()
    client.watch()
    watcher = server.watcher()
    first_fetch.wait_for_request()
    server.put("held", "two")
    refetch = server.holds["held"] = Hold()
    watcher.tell(event("other"))
    watcher.tell(event("held"))
    first_fetch.release()
    refetch.wait_for_request()
    refetch.release()
    assert client.get_prompt("held", refresh=True)["content"] == "two"
    assert server.fetches("other") == 0


def test_any_type_of_event_and_nothing_but_events(
    server: SdkServer, client: PromptOpsClient, updates: Updates
) -> None:
    server.put("greeting", "one")
    client.watch(updates)
    watcher = server.watcher()
    for noise in (
        b"",
        b"nonsense",
        b"[1]",
        b"{}",
        b'{"key":7}',
        b'{"key":""}',
        *NO_KEYS,
        b"[" * 100_000,
    ):
        watcher.send(frame(TEXT, noise))
    watcher.send(frame(BINARY, b'{"key":"greeting"}'))
    watcher.send(frame(PONG, b"unasked"))
    watcher.tell(event("gone"))
    watcher.tell({"type": "something.new", "key": "greeting", "more": [1]})
    assert updates.next()["event"]["type"] == "something.new"
    assert updates.empty()


def test_a_fragmented_event_around_a_ping(
    server: SdkServer, client: PromptOpsClient, updates: Updates
) -> None:
    server.put("greeting", "one")
    client.watch(updates)
    watcher = server.watcher()
    watcher.send(frame(TEXT, b'{"key":"gre', final=False))
    watcher.ping(b"between")
    assert watcher.receive() == (PONG, b"between")
    watcher.send(frame(0, b'eting"}'))
    assert updates.next_content() == ("greeting", "one")


def test_an_event_in_the_segment_of_the_handshake(
    server: SdkServer, client: PromptOpsClient, updates: Updates
) -> None:
    server.put("greeting", "one")
    server.with_handshake = frame(TEXT, b'{"key":"greeting"}')
    client.watch(updates)
    assert updates.next_content() == ("greeting", "one")


@pytest.mark.parametrize(
    "end",
    [
        Watcher.drop,
        lambda watcher: watcher.send(frame(CLOSE, struct.pack("!H", 1012) + b"restart")),
        lambda watcher: watcher.send(b"\xff\xff\xff\xff"),
        lambda watcher: watcher.send(frame(TEXT, b"\xff")),
    ],
)
def test_reconnects_and_notifies_of_missed_changes(
    server: SdkServer, client: PromptOpsClient, updates: Updates, end: Callable[[Watcher], None]
) -> None:
    for key in ("changed", "same"):
        server.put(key, "one")
        client.get_prompt(key)
    first = watching(server, client, updates)
    server.put("changed", "two", "v2")
    end(first)
    second = server.watcher()
    update = updates.next()
    assert update["key"] == "changed"
    assert update["prompt"].items() >= server.prompts["changed"].items()
    assert update["event"] == {
        "type": "prompt.refreshed",
        "id": "",
        "key": "changed",
        "env": "prod",
        "version": "v2",
    }
    wait_until_refreshed(server, second, updates)
    server.put("same", "three")
    second.tell(event("same"))
    assert updates.next_content() == ("same", "three")
    assert updates.empty()


def test_an_event_notifies_even_if_the_refresh_notified_of_its_change(
    server: SdkServer, client: PromptOpsClient, updates: Updates
) -> None:
    for key in ("first", "second"):
        server.put(key, "one")
        client.get_prompt(key)
    watcher = watching(server, client, updates)
    hold = server.holds["first"] = Hold()
    watcher.drop()
    hold.wait_for_request()
    # "second" is due as well, and changes between the new connection and its refresh.
    server.put("second", "two", "v2")
    hold.release()
    refreshed = updates.next()
    assert (refreshed["key"], refreshed["event"]["type"]) == ("second", "prompt.refreshed")
    change = event("second", "v2")
    server.watcher().tell(change)
    update = updates.next()
    assert (update["event"], update["prompt"]["version"]) == (change, "v2")
    assert updates.empty()


def test_the_server_restarts(server: SdkServer, client: PromptOpsClient, updates: Updates) -> None:
    server.put("greeting", "one")
    client.get_prompt("greeting")
    watching(server, client, updates)
    server.stop()
    server.put("greeting", "two")
    server.start()
    assert updates.next_content() == ("greeting", "two")
    assert client.render("greeting") == "two"


def test_a_refetch_that_fails_is_tried_again(
    server: SdkServer, client: PromptOpsClient, updates: Updates
) -> None:
    server.put("greeting", "one")
    client.get_prompt("greeting")
    watcher = watching(server, client, updates)
    server.put("greeting", "two")
    server.bodies["greeting"] = (503, b'{"error":"the database is locked"}')
    hold = server.holds["greeting"] = Hold()
    watcher.tell(event("greeting"))
    hold.wait_for_request()
    hold.release()
    assert client.render("greeting") == "one"
    del server.bodies["greeting"]
    assert updates.next_content() == ("greeting", "two")


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refetch_that_is_refused_keeps_the_old_copy(
    server: SdkServer,
    client: PromptOpsClient,
    updates: Updates,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.put("greeting", "one")
    client.get_prompt("greeting")
    watcher = watching(server, client, updates)
    server.bodies["greeting"] = (status, b'{"error":"no"}')
    with caplog.at_level(logging.WARNING):
        watcher.tell(event("greeting"))
        eventually(lambda: "prompt 'greeting' was not refreshed" in caplog.text)
    assert f"{status}: no" in caplog.text
    assert client.render("greeting") == "one"
    assert updates.empty()


@pytest.mark.parametrize("fault", [RuntimeError, SystemExit])
def test_a_failing_listener_ends_neither_the_watch_nor_the_other_listeners(
    server: SdkServer,
    client: PromptOpsClient,
    updates: Updates,
    fault: type[BaseException],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(update: Update) -> None:
        update["prompt"]["content"] = "spoiled"
        raise fault("the program's fault")

    server.put("greeting", "one")
    client.watch(fail)
    client.watch(updates)
    watcher = server.watcher()
    for version in ("one", "two"):
        server.put("greeting", version)
        watcher.tell(event("greeting"))
        assert updates.next_content() == ("greeting", version)
    assert caplog.text.count("on_update failed") == 2
    assert "the program's fault" in caplog.text
    assert len(server.watchers) == 1


def test_many_events_of_one_key_while_it_is_fetched_cost_one_more_fetch(
    server: SdkServer, client: PromptOpsClient, updates: Updates
) -> None:
    server.put("busy", "1")
    client.watch(updates)
    watcher = server.watcher()
    hold = server.holds["busy"] = Hold()
    watcher.tell(event("busy", "v0"))
    hold.wait_for_request()
    server.put("busy", "100")
    for number in range(1, 101):
        watcher.tell(event("busy", f"v{number}"))
    hold.release()
    assert updates.next_content() == ("busy", "1")
    last = updates.next()
    while last["event"]["version"] != "v100":
        last = updates.next()
    assert last["prompt"]["content"] == "100"
    # Not two in total: the kernel may deliver a hundred small messages in several parts.
    assert server.fetches("busy") < 20


def test_a_listener_may_use_and_close_the_client(
    server: SdkServer, client: PromptOpsClient
) -> None:
    done = threading.Event()
    contents: list[Any] = []

    def use_and_close(update: Update) -> None:
        contents.append(client.get_prompt("other", refresh=True)["content"])
        client.watch()
        client.close()
        done.set()

    server.put("greeting", "one")
    server.put("other", "two")
    client.watch(use_and_close)
    server.watcher().tell(event("greeting"))
    assert done.wait(DEADLINE)
    assert contents == ["two"]


def test_over_tls(updates: Updates, certificate: tuple[Path, Path]) -> None:
    key, chain = certificate
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(chain, key)
    server = SdkServer(server_side)
    trusting = ssl.create_default_context(cafile=str(chain))
    try:
        with PromptOpsClient(server.url, ssl_context=trusting) as client:
            server.put("greeting", "x" * 300_000)
            assert len(client.render("greeting")) == 300_000
            watcher = watching(server, client, updates)
            server.put("greeting", "two")
            watcher.tell(event("greeting"))
            assert updates.next_content() == ("greeting", "two")
            server.drop_connections()
        with PromptOpsClient(server.url) as untrusting:
            untrusting.watch()
            with pytest.raises(ServerUnreachableError, match="certificate verify failed"):
                untrusting.get_prompt("greeting")
    finally:
        server.stop()
