"""The baseline of the delivery: a bare `websockets` server that sends on what one client says."""

import asyncio
import os

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from bench.http_load import HOST


async def main() -> None:
    watchers: set[ServerConnection] = set()

    async def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        if connection.request.path == "/publish":
            async for message in connection:
                broadcast(watchers, message)
            return
        watchers.add(connection)
        try:
            await connection.wait_closed()
        finally:
            watchers.discard(connection)

    async with serve(handle, HOST, int(os.environ["BENCH_PORT"]), compression=None, backlog=2048):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
