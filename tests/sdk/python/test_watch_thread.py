"""The thread of the watch: one for a client, which ends with it."""

from __future__ import annotations

import struct
import threading

import pytest

from harness.sdk_server import CLOSE, DEADLINE, SdkServer
from promptops import ClientClosedError, PromptOpsClient


def test_close_sends_a_close_frame_and_ends_the_thread(
    server: SdkServer, client: PromptOpsClient
) -> None:
    client.watch()
    watcher = server.watcher()
    closing = threading.Thread(target=client.close)
    closing.start()
    assert watcher.receive() == (CLOSE, struct.pack("!H", 1000))
    watcher.drop()
    closing.join(DEADLINE)
    assert not [t for t in threading.enumerate() if t.name == "promptops-watch"]


def test_close_from_many_threads(server: SdkServer, client: PromptOpsClient) -> None:
    client.watch()
    server.watcher().drop()
    threads = [threading.Thread(target=client.close) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()


def test_close_while_it_waits_to_reconnect(server: SdkServer) -> None:
    server.stop()
    client = PromptOpsClient(server.url)
    client.watch()
    client.close()
    assert not [t for t in threading.enumerate() if t.name == "promptops-watch"]
    with pytest.raises(ClientClosedError):
        client.watch()
    server.start()


def test_many_threads_may_start_the_watch(server: SdkServer, client: PromptOpsClient) -> None:
    threads = [threading.Thread(target=client.watch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert len([t for t in threading.enumerate() if t.name == "promptops-watch"]) == 1
    assert server.watcher() is server.watchers[-1]
    assert len(server.watchers) == 1
