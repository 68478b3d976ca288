"""A slow model provider that counts its requests.

It answers with the last message and a dot, so that each call of a chain has a different text.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harness.vendors.openai import chat_chunk


class CountingVendor:
    """`calls` counts by the text of the last message; `most` is the maximum of concurrent calls."""

    def __init__(self, seconds: float) -> None:
        self.calls: Counter[str] = Counter()
        self.most = 0
        self._at_once = 0
        self.port = 0
        self._seconds = seconds

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].split()[0])
                body = json.loads(await reader.readexactly(length))
                text = body["messages"][-1]["content"]
                self.calls[text] += 1
                self._at_once += 1
                self.most = max(self.most, self._at_once)
                await asyncio.sleep(self._seconds)
                self._at_once -= 1
                writer.write(_streamed(f"{text}.") if body.get("stream") else _answer(f"{text}."))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            writer.close()


def _answer(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    body = json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
    ).encode()
    return _response("application/json", body)


def _streamed(text: str) -> bytes:
    chunks = [chat_chunk({"content": text}), chat_chunk({}, "stop")]
    events = [*(json.dumps(chunk) for chunk in chunks), "[DONE]"]
    return _response("text/event-stream", "".join(f"data: {at}\n\n" for at in events).encode())


def _response(kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


@asynccontextmanager
async def counting_vendor(seconds: float) -> AsyncIterator[CountingVendor]:
    """Listens on a free port; each answer takes so many seconds."""
    vendor = CountingVendor(seconds)
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0)
    vendor.port = server.sockets[0].getsockname()[1]
    async with server:
        yield vendor
