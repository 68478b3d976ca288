"""A model vendor that answers at once, so that what lies before it is measured: the shape of
OpenAI's chat completions, over a lean HTTP/1.1."""

import asyncio
import json
import os

from bench.http_load import HOST

TEXT = "The quick brown fox jumps over the lazy dog. " * 8
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_770_000_000,
    "model": "bench-1",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": TEXT},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 12, "completion_tokens": 90, "total_tokens": 102},
}
END_OF_HEAD = b"\r\n\r\n"


def _answer() -> bytes:
    body = json.dumps(COMPLETION).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return head.encode() + END_OF_HEAD + body


class Vendor(asyncio.Protocol):
    """Answers every request that is complete with the same completion."""

    answer = _answer()

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(END_OF_HEAD)
        if separator and len(body) >= _length(head):
            self._received = b""
            self._transport.write(self.answer)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Vendor, HOST, int(os.environ["BENCH_PORT"]))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
