"""A stop does not wait for streams that are open."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.events import events_of
from harness.platform import TOKEN, new_settings, running_platform
from harness.postgres import Postgres
from harness.raw_http import RawConnection, connected, request
from harness.up import promptops
from harness.vendors import Answer, fake_vendor
from harness.vendors.openai import CHAT_STREAM
from promptops_platform.http import kernel_sockets

STREAMS = 10
# Far longer than a test may take: a stop that waited for a stream would not end in time.
DRAIN_SECONDS = "3600"
# More than the sockets' buffers hold, so that the platform has to wait for who does not read.
LONG_TEXT = "x" * 8_000_000


def question(base_url: str) -> dict[str, Any]:
    body = {"content": "Hi", "stream": True, "provider": "openai-compatible", "model": "m"}
    return {**body, "base_url": base_url}


async def test_a_stop_with_open_streams_ends_at_once() -> None:
    """Ten of playground calls, and ten of a run."""
    answer, _never = Answer.of_events(CHAT_STREAM).held_after(2)
    settings = {"drain_seconds": DRAIN_SECONDS, "playground_per_caller": str(STREAMS)}
    with promptops("serve", settings) as platform:
        await asyncio.to_thread(platform.start)
        headers = {"authorization": f"Bearer {platform.token}"}
        async with (
            fake_vendor(answer) as vendor,
            httpx.AsyncClient(base_url=platform.url, headers=headers, timeout=60) as client,
            AsyncExitStack() as stack,
        ):
            streams = []
            # Without an engine the run stays queued.
            workflow = await client.post("/api/workflows", json={"key": "w", "steps": []})
            run = f"/api/workflows/{workflow.json()['data']['id']}/run"
            location = (await client.post(run, json={"wait": False})).headers["location"]
            for _ in range(STREAMS):
                followed = client.stream("GET", f"{location}/events")
                events = events_of(await stack.enter_async_context(followed))
                assert (await anext(events)).name == "run"
                streams.append(events)
                asked = client.stream("POST", "/api/playground/run", json=question(vendor.url))
                events = events_of(await stack.enter_async_context(asked))
                assert (await anext(events)).name == "delta"
                streams.append(events)
            assert await asyncio.to_thread(platform.stop) == 0
            for events in streams:
                assert [event.name async for event in events] == ["stopping"]


async def test_a_stop_does_not_wait_for_who_does_not_read(
    data_folder: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing else may end the connection.
    monkeypatch.setattr(kernel_sockets, "GONE_SECONDS", 3600.0)
    limits = {"body_seconds": 3600.0, "drain_seconds": 3600.0}
    settings = await new_settings("sqlite", postgres, data_folder, **limits)
    long = json.loads(json.dumps(CHAT_STREAM[1]))
    long["choices"][0]["delta"] = {"content": LONG_TEXT}
    answer, _never = Answer.of_events([CHAT_STREAM[0], long, *CHAT_STREAM[2:]]).held_after(3)
    async with (
        fake_vendor(answer) as vendor,
        AsyncExitStack() as stack,
        running_platform(settings) as platform,
    ):
        client = await stack.enter_async_context(connected(platform.port))
        await ask_without_reading(client, vendor.url)
        platform.platform.stop_signal.set()
        # The platform ends before the client does, once no connection is left.


async def ask_without_reading(client: RawConnection, base_url: str) -> None:
    """Ask for a stream, and read no more than its beginning."""
    body = json.dumps(question(base_url)).encode()
    headers = (f"Content-Length: {len(body)}", f"Authorization: Bearer {TOKEN}")
    await client.send(request("POST /api/playground/run", *headers, body=body))
    await client.read_until(b"event: delta")
    client.transport.pause_reading()
