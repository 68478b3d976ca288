"""Clients for your tests: no server, no network, no threads; all else as the real ones do it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from email.message import Message
from typing import Any
from urllib.parse import unquote

from promptops.aio.client import AsyncPromptOpsClient
from promptops.aio.fetcher import AsyncFetcher
from promptops.aio.http import AsyncHttpClient
from promptops.client import PromptOpsClient
from promptops.errors import PromptOpsError
from promptops.fetcher import Fetcher, Refresher
from promptops.fetching import EPOCH, REVISION
from promptops.http import HttpClient
from promptops.listeners import DELETED, Event, made_event
from promptops.memory import Failure, Known, Outcome
from promptops.responses import Response

# Of the domain that no name server knows.
NOWHERE = "http://promptops.invalid"


class FakeServer:
    """The prompts that a fake client is served.

    `failure` is raised by every fetch while it is set, as by a server that can't be reached;
    `asked` has the key of each fetch.
    """

    def __init__(self, prompts: Mapping[str, str | Mapping[str, Any]]) -> None:
        self._prompts: dict[str, dict[str, Any]] = {}
        self._revision = 0
        self.failure: PromptOpsError | None = None
        self.asked: list[str] = []
        for key, prompt in prompts.items():
            self.put(key, prompt)

    def put(self, key: str, prompt: str | Mapping[str, Any]) -> Event:
        """Serve this from now on. Answers the event that tells of it."""
        self._revision += 1
        fields: dict[str, Any] = {"content": prompt} if isinstance(prompt, str) else {**prompt}
        if "messages" in fields:
            texts = [message["content"] for message in fields["messages"]]
            fields = {"kind": "chat", "content": "\n\n".join(texts), **fields}
        self._prompts[key] = {
            "key": key,
            "version": f"v{self._revision}",
            "env": "prod",
            "model": "",
            **fields,
        }
        return self._event(key, "prompt.published")

    def take_away(self, key: str) -> Event:
        """Serve it no longer. Answers the event that tells of it."""
        self._revision += 1
        self._prompts.pop(key, None)
        return self._event(key, DELETED)

    def answer(self, path: str) -> Response:
        """What is answered to a fetch."""
        key = unquote(path.partition("?")[0].rpartition("/")[2])
        self.asked.append(key)
        if self.failure is not None:
            raise self.failure
        headers = Message()
        headers[REVISION], headers[EPOCH] = str(self._revision), "fake"
        if key not in self._prompts:
            return Response(404, headers, _absent(key))
        return Response(200, headers, json.dumps(self._prompts[key]).encode())

    def _event(self, key: str, kind: str) -> Event:
        version = self._prompts[key]["version"] if key in self._prompts else ""
        return {**made_event(kind, key, "prod", version), "revision": self._revision}


def _absent(key: str) -> bytes:
    return json.dumps({"error": f"no prompt {key!r}", "code": "not_found"}).encode()


def _got(outcome: Outcome) -> Known:
    if isinstance(outcome, Failure):
        raise outcome.error
    return outcome


class _Http(HttpClient):
    def __init__(self, server: FakeServer) -> None:
        self._server = server

    def get(self, path: str, timeout: float, etag: str | None = None) -> Response:
        return self._server.answer(path)

    def close(self) -> None:
        pass


class _AsyncHttp(AsyncHttpClient):
    def __init__(self, server: FakeServer) -> None:
        self._server = server

    async def get(self, path: str, timeout: float, etag: str | None = None) -> Response:
        await asyncio.sleep(0)
        return self._server.answer(path)

    async def close(self) -> None:
        pass

    def drop(self) -> None:
        pass


class FakePromptOps(PromptOpsClient):
    """A `PromptOpsClient` of the prompts given, each a text or the fields of a prompt.

    ``FakePromptOps({"greeting": "Hello {{who}}!"})``; `server` says more of what it is served.
    """

    def __init__(self, prompts: Mapping[str, str | Mapping[str, Any]], **options: Any) -> None:
        self.server = FakeServer(prompts)
        super().__init__(NOWHERE, **options)

    def set(self, key: str, prompt: str | Mapping[str, Any]) -> None:
        """Change a prompt; a client that watches has it, and has told of it, afterwards."""
        event = self.server.put(key, prompt)
        if self._watched and (key in self._memory.held or self._listeners.update):
            known = _got(self._fetcher.fresh(key))
            self._listeners.updated(self._memory.prompt(known), event)

    def remove(self, key: str) -> None:
        """Take a prompt away; a client that watches forgets it, and tells."""
        event = self.server.take_away(key)
        if self._watched:
            self._setup.fetches.forget(key, event=event)
            self._untold.tell()

    def _connect(self) -> None:
        super()._connect()
        self._http = _Http(self.server)
        fetches, timeout = self._setup.fetches, self._setup.options.timeout
        self._fetcher = Fetcher(self._connector, self._http, fetches, timeout, self._untold)
        self._refresher = Refresher(self._fetcher, self._connector)

    def _watch_from_now_on(self) -> None:
        self._watched = True
        self._memory.watched()

    def _resume_watch(self, delay: float = 0.0) -> None:
        self._memory.watched()


class AsyncFakePromptOps(AsyncPromptOpsClient):
    """An `AsyncPromptOpsClient` of the prompts given; see `FakePromptOps`."""

    def __init__(self, prompts: Mapping[str, str | Mapping[str, Any]], **options: Any) -> None:
        self.server = FakeServer(prompts)
        super().__init__(NOWHERE, **options)

    async def set(self, key: str, prompt: str | Mapping[str, Any]) -> None:
        """Change a prompt; a client that watches has it, and has told of it, afterwards."""
        event = self.server.put(key, prompt)
        if self._memory.is_watched and (key in self._memory.held or self._listeners.update):
            fetched = self._memory.prompt(_got(await self._fetcher.fresh(key)))
            self._teller.tell(lambda: self._listeners.updated(fetched, event))
            await self._teller.told()

    async def remove(self, key: str) -> None:
        """Take a prompt away; a client that watches forgets it, and tells."""
        event = self.server.take_away(key)
        if self._memory.is_watched:
            self._setup.fetches.forget(key, event=event)
            await self._teller.told()

    def _connect(self) -> None:
        super()._connect()
        self._http = _AsyncHttp(self.server)
        timeout = self._setup.options.timeout
        self._fetcher = AsyncFetcher(self._http, self._setup.fetches, timeout, closed=self._closed)

    def _enter(self) -> None:
        is_watched = self._memory.is_watched
        super()._enter()
        if is_watched:
            self._memory.watched()

    async def _watch_from_now_on(self) -> None:
        self._memory.watched()
