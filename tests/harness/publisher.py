"""Edits and publishes at a steady rate, and records the responses."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx

# If a server is killed between the write and its response, the publisher waits at most this long.
REQUEST_SECONDS = 10.0
REACH_SECONDS = 120.0


class Publisher:
    """Uses the servers at `ports` in turn; the list may change meanwhile."""

    def __init__(self, ports: Sequence[int], token: str, prompts: Sequence[str]) -> None:
        # By prompt, the content of each version whose publish was confirmed.
        self.acknowledged: dict[str, dict[str, str]] = {prompt: {} for prompt in prompts}
        self.count = 0
        self.unanswered = 0
        self._ports = ports
        self._turns = 0
        self._headers = {"authorization": f"Bearer {token}"}
        self._news = asyncio.Event()
        self._stopped = asyncio.Event()

    async def more(self, count: int) -> None:
        """Wait until so many more publishes are confirmed."""
        target = self.count + count
        async with asyncio.timeout(REACH_SECONDS):
            while self.count < target:
                assert not self._stopped.is_set(), "it has ended"
                self._news.clear()
                await self._news.wait()

    def stop(self) -> None:
        """Start no more publishes."""
        self._stopped.set()
        self._news.set()

    async def run(self, rate: float) -> None:
        """So many publishes per second over all prompts, until it is stopped and the last ones are
        answered."""
        interval = len(self.acknowledged) / rate
        try:
            async with (
                httpx.AsyncClient(headers=self._headers, timeout=REQUEST_SECONDS) as client,
                asyncio.TaskGroup() as group,
            ):
                for number, prompt in enumerate(self.acknowledged):
                    group.create_task(self._run(client, prompt, interval, number / rate))
        finally:
            self.stop()

    async def _run(
        self, client: httpx.AsyncClient, prompt: str, interval: float, delay: float
    ) -> None:
        due = time.monotonic() + delay
        for number in itertools.count(1):
            if await self._is_stopped_by(due):
                return
            # Delays aren't caught up: the rate never exceeds the limit.
            due = max(due + interval, time.monotonic())
            try:
                await self._publish(client, prompt, f"{prompt} edit {number} {{{{who}}}}")
            except httpx.TransportError:
                self.unanswered += 1

    async def _is_stopped_by(self, due: float) -> bool:
        try:
            await asyncio.wait_for(self._stopped.wait(), max(due - time.monotonic(), 0.001))
        except TimeoutError:
            return False
        return True

    async def _publish(self, client: httpx.AsyncClient, prompt: str, content: str) -> None:
        self._turns += 1
        server = f"http://127.0.0.1:{self._ports[self._turns % len(self._ports)]}/api/prompts"
        edited = await client.put(f"{server}/{prompt}", json={"content": content})
        published = await client.post(f"{server}/publish", json={"id": prompt})
        for answer in (edited, published):
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                self.unanswered += 1
                return
            assert answer.status_code == httpx.codes.OK, answer.text
        version = published.json()["data"]
        assert version["content"] == content
        self.acknowledged[prompt][version["version"]] = content
        self.count += 1
        self._news.set()


@asynccontextmanager
async def publishing(publisher: Publisher, rate: float) -> AsyncIterator[None]:
    """Publishes until the end of the block, which raises its errors."""
    running = asyncio.create_task(publisher.run(rate))
    try:
        yield
    finally:
        publisher.stop()
        await running
