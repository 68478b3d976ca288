"""Clients for tests, without server, network and threads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from email.message import Message
from typing import Any
from urllib.parse import unquote

from promptops.aio.client import AsyncPromptOpsClient
from promptops.aio.fetch_tasks import AsyncFetcher
from promptops.aio.http import AsyncHttpClient
from promptops.chat import joined_texts
from promptops.client import PromptOpsClient
from promptops.errors import PromptOpsError
from promptops.fetch_policy import EPOCH, REVISION
from promptops.fetch_thread import Fetcher, Refresher
from promptops.http import HttpClient
from promptops.http_response import Response
from promptops.listeners import DELETED, Event, make_event
from promptops.prompt_store import CachedPrompt, Failure, Outcome

# This top-level domain never resolves.
NOWHERE = "http://promptops.invalid"


class FakeServer:
    """The prompts of a fake client.

     Every fetch raises `failure` while it is set, as if the server could not be reached; `asked`
    has the key of each fetch.
    """

    def __init__(self, prompts: Mapping[str, str | Mapping[str, Any]]) -> None:
        self._prompts: dict[str, dict[str, Any]] = {}
        self._revision = 0
        self.failure: PromptOpsError | None = None
        self.asked: list[str] = []
        for key, prompt in prompts.items():
            self.put(key, prompt)

    def put(self, key: str, prompt: str | Mapping[str, Any]) -> Event:
        """Serve this prompt from now on; returns the event of the change."""
        self._revision += 1
        fields: dict[str, Any] = {"content": prompt} if isinstance(prompt, str) else {**prompt}
        if "messages" in fields:
            fields = {"kind": "chat", "content": joined_texts(fields["messages"]), **fields}
        self._prompts[key] = {
            "key": key,
            "version": f"v{self._revision}",
            "env": "prod",
            "model": "",
            **fields,
        }
        return self._event(key, "prompt.published")

    def take_away(self, key: str) -> Event:
        """Stop serving the prompt; returns the event of the deletion."""
        self._revision += 1
        self._prompts.pop(key, None)
        return self._event(key, DELETED)

    def answer(self, path: str) -> Response:
        """Return the response to a fetch."""
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
        return {**make_event(kind, key, "prod", version), "revision": self._revision}


def _absent(key: str) -> bytes:
    return json.dumps({"error": f"no prompt {key!r}", "code": "not_found"}).encode()


def _cached_or_raise(outcome: Outcome) -> CachedPrompt:
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
    """A `PromptOpsClient` with fixed prompts, each a text or the fields of a prompt.

    ``FakePromptOps({"greeting": "Hello {{who}}!"})``; use `server` for more control.
    """

    def __init__(self, prompts: Mapping[str, str | Mapping[str, Any]], **options: Any) -> None:
        self.server = FakeServer(prompts)
        super().__init__(NOWHERE, **options)

    def set(self, key: str, prompt: str | Mapping[str, Any]) -> None:
        """Change a prompt; a watching client has it and has notified its listeners afterwards."""
        event = self.server.put(key, prompt)
        if self._watched and (key in self._store.cached or self._listeners.update):
            entry = _cached_or_raise(self._fetcher.fetch_fresh(key))
            self._listeners.notify_update(self._store.to_prompt(entry), event)

    def remove(self, key: str) -> None:
        """Remove a prompt; a watching client removes it and notifies its listeners."""
        event = self.server.take_away(key)
        if self._watched:
            self._state.policy.remove_prompt(key, event=event)
            self._pending.deliver()

    def _connect(self) -> None:
        super()._connect()
        self._http = _Http(self.server)
        policy, timeout = self._state.policy, self._state.options.timeout
        self._fetcher = Fetcher(self._connector, self._http, policy, timeout, self._pending)
        self._refresher = Refresher(self._fetcher, self._connector)

    def _start_watching(self) -> None:
        self._watched = True
        self._store.mark_watched()

    def _resume_watch(self, delay: float = 0.0) -> None:
        self._store.mark_watched()


class AsyncFakePromptOps(AsyncPromptOpsClient):
    """An `AsyncPromptOpsClient` with fixed prompts; see `FakePromptOps`."""

    def __init__(self, prompts: Mapping[str, str | Mapping[str, Any]], **options: Any) -> None:
        self.server = FakeServer(prompts)
        super().__init__(NOWHERE, **options)

    async def set(self, key: str, prompt: str | Mapping[str, Any]) -> None:
        """Change a prompt; a watching client has it and has notified its listeners afterwards."""
        event = self.server.put(key, prompt)
        if self._store.is_watched and (key in self._store.cached or self._listeners.update):
            fetched = self._store.to_prompt(_cached_or_raise(await self._fetcher.fetch_fresh(key)))
            self._notifier.notify(lambda: self._listeners.notify_update(fetched, event))
            await self._notifier.drained()

    async def remove(self, key: str) -> None:
        """Remove a prompt; a watching client removes it and notifies its listeners."""
        event = self.server.take_away(key)
        if self._store.is_watched:
            self._state.policy.remove_prompt(key, event=event)
            await self._notifier.drained()

    def _connect(self) -> None:
        super()._connect()
        self._http = _AsyncHttp(self.server)
        timeout = self._state.options.timeout
        self._fetcher = AsyncFetcher(self._http, self._state.policy, timeout, closed=self._closed)

    def _enter(self) -> None:
        is_watched = self._store.is_watched
        super()._enter()
        if is_watched:
            self._store.mark_watched()

    async def _start_watching(self) -> None:
        self._store.mark_watched()
