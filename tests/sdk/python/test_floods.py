"""A flooding server costs a client a bounded amount of time, and close() ends immediately."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from collections.abc import Callable
from typing import Any

import pytest

from harness.processes import eventually
from harness.sdk_server import BINARY, PING, TEXT, SdkServer, Watcher, frame
from promptops import AsyncPromptOpsClient, PromptOpsClient, ProtocolError
from promptops.bounded_json import MOST_CONTAINERS, MOST_CONTAINERS_OF_MESSAGE, parse_json
from promptops.frames import FLOOD, MOST_SMALL_FRAMES, FloodError, FrameParser
from promptops.http_response import MOST_CHUNKS, ResponseReader

pytestmark = pytest.mark.trial

MakeClient = Callable[..., PromptOpsClient]

SMALL = {
    "pings": frame(PING, b""),
    "empty texts": frame(TEXT, b""),
    "small texts": frame(TEXT, b"{}"),
    "empty fragments": frame(0, b"", final=False),
    "binary messages": frame(BINARY, b"x" * 100),
}


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 1_000_000 + b"]" * 1_000_000,
        b"[" + b",".join([b"[]"] * 1_000_000) + b"]",
        b"[" + b",".join([b"[" * 99 + b"]" * 99] * 10_000) + b"]",
        b'{"a":' * 200_000,
        b"[" + b",".join([b"1"] * 4_000_000) + b"]",
        b'["' + b'\\\\",[],"\\"' * 200_000 + b'"]',
    ],
    ids=["deep", "wide", "both", "objects", "members", "escapes"],
)
def test_json_is_measured_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr("promptops.bounded_json.json.loads", pytest.fail)
    with pytest.raises(ProtocolError, match=f"more than {MOST_CONTAINERS} lists and objects"):
        parse_json(text)


@pytest.mark.parametrize(
    "text", [",[{" * 200_000, '"[' * 200_000, "\\[" * 200_000, "é[\\" * 99_999]
)
def test_brackets_in_a_text_are_not_lists(text: str) -> None:
    document = {"content": text, "messages": [{"content": text}]}
    assert parse_json(json.dumps(document)) == document
    assert parse_json(json.dumps(document, ensure_ascii=False).encode()) == document


@pytest.mark.parametrize("small", SMALL.values(), ids=SMALL)
def test_a_flood_of_small_frames_ends_the_connection(small: bytes) -> None:
    parser = FrameParser(1024 * 1024)
    if small[0] & 0x0F == 0:
        parser.feed(frame(TEXT, b"begun", final=False))
    parser.feed(small * (MOST_SMALL_FRAMES * 2))

    def read_all() -> None:
        while parser.next() is not None:
            pass

    with pytest.raises(FloodError) as caught:
        read_all()
    assert caught.value.code == FLOOD


def test_a_ping_a_second_is_not_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("promptops.frames.time.monotonic", lambda: now)
    parser = FrameParser(1024)
    for _ in range(10 * MOST_SMALL_FRAMES):
        now += 1.0
        parser.feed(SMALL["pings"])
        assert parser.next() is not None


def test_a_body_in_chunks_of_a_byte() -> None:
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(ProtocolError, match=f"over {MOST_CHUNKS} chunks"):
        reader.feed(b"1\r\nx\r\n" * (MOST_CHUNKS + 1))


def test_a_message_of_many_lists_is_ignored(server: SdkServer, client: PromptOpsClient) -> None:
    server.put("greeting", "one")
    client.get_prompt("greeting")
    client.watch()
    watcher = server.watcher()
    lists = [[]] * MOST_CONTAINERS_OF_MESSAGE
    watcher.tell({"type": "prompt.updated", "key": "greeting", "lists": lists})
    watcher.ping(b"read?")
    assert watcher.receive()[1] == b"read?"
    assert server.fetches("greeting") <= 1


def flood(watcher: Watcher, data: bytes) -> threading.Thread:
    """Send this forever, and read nothing."""

    def run() -> None:
        try:
            while True:
                watcher.send(data)
        except OSError:
            watcher.ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


EVENT = json.dumps({"type": "of.another.kind", "revision": 1, "text": "x" * 100}).encode()
FLOODS: dict[str, bytes] = {
    **{name: data * 1000 for name, data in SMALL.items() if name != "empty fragments"},
    "texts": frame(TEXT, EVENT) * 1000,
    "a large frame": struct.pack("!BBQ", 0x82, 127, 1024 * 1024) + bytes(1024 * 1024),
}


@pytest.mark.parametrize("data", FLOODS.values(), ids=FLOODS)
def test_close_under_a_flood(server: SdkServer, data: bytes) -> None:
    client = PromptOpsClient(server.url, timeout=5.0)
    client.watch()
    thread = flood(server.watcher(), data)
    client.close()
    # The watch has ended, not only the wait for it.
    assert not any(t.name == "promptops-watch" for t in threading.enumerate())
    server.drop_connections()
    thread.join()


@pytest.mark.parametrize("data", FLOODS.values(), ids=FLOODS)
async def test_close_under_a_flood_for_asyncio(server: SdkServer, data: bytes) -> None:
    client = AsyncPromptOpsClient(server.url, timeout=5.0)
    await client.watch()
    thread = flood(await asyncio.to_thread(server.watcher), data)
    await client.close()
    assert [task.get_name() for task in asyncio.all_tasks() if "promptops" in task.get_name()] == []
    server.drop_connections()
    await asyncio.to_thread(thread.join)


def test_the_client_pauses_before_reconnecting_to_a_flooding_server(
    server: SdkServer, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    client = make_client()
    sleep: Any = client._connector.sleep
    monkeypatch.setattr(client._connector, "sleep", lambda s: (slept.append(s), sleep(s)))
    client.watch()
    server.watcher().send(SMALL["pings"] * 2 * MOST_SMALL_FRAMES)
    eventually(lambda: any(slept))
    assert max(slept) >= 5.0
