"""The client for asyncio."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Mapping
from os import getpid
from types import TracebackType
from typing import Any, TypeVar

from promptops import templates
from promptops.aio.fetch_tasks import AsyncFetcher
from promptops.aio.http import AsyncHttpClient
from promptops.aio.notifier import Notifier
from promptops.aio.previous_loop import PreviousLoop
from promptops.aio.streams import Route
from promptops.aio.watch import AsyncWatch
from promptops.aio.websocket import AsyncWebSocket
from promptops.errors import ClientClosedError, PromptOpsError
from promptops.listeners import Deletion, Notification, Update
from promptops.options import AnyPath, ClientState, Options
from promptops.prompt_store import CachedPrompt
from promptops.prompts import Prompt, check_default, check_key, check_subject
from promptops.results import PromptResult
from promptops.sync_state import SyncState

C = TypeVar("C", bound="AsyncPromptOpsClient")

# Each listener may be a coroutine function.
OnUpdate = Callable[[Update], Awaitable[object] | object]
OnDelete = Callable[[Deletion], Awaitable[object] | object]
OnConnection = Callable[[], Awaitable[object] | object]
OnError = Callable[[PromptOpsError], Awaitable[object] | object]


class AsyncPromptOpsClient:
    """`PromptOpsClient` for asyncio, with the same arguments, methods, results and errors.

     Use it in one event loop at a time. Called in another loop, it continues there with new
    connections and a new watch. Cached prompts are returned without giving up control to the loop.
    Listeners may be coroutine functions; they are called and awaited one after the other in a
    separate task.
    """

    def __init__(
        self,
        server: str = "http://127.0.0.1:8080",
        namespace: str = "prod",
        token: str = "promptops-dev-token",  # noqa: S107 (the server's development default)
        app_name: str = "",
        *,
        workspace: str = "",
        timeout: float = 10.0,
        max_age: float = 60.0,
        cache_dir: AnyPath | None = None,
        bundle: AnyPath | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        options = Options(
            server, namespace, token, app_name, workspace, timeout, max_age, cache_dir, bundle
        )
        self._notifier = Notifier()
        self._state = ClientState(options, self._notify)
        self._listeners = self._state.listeners
        self._store = self._state.store
        self._results = self._state.results
        address = self._state.address
        tls = (ssl_context or ssl.create_default_context()) if address.secure else None
        self._route = Route(address, address.proxy(), tls)
        self._watch: AsyncWatch | None = None
        self._watched = self._closed = False
        # The loop of all tasks and connections.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cached: dict[str, CachedPrompt] = self._store.cached
        self._connect()

    async def get_prompt(
        self,
        key: str,
        refresh: bool = False,
        *,
        subject: str | None = None,
        default: str | None = None,
    ) -> Prompt:
        """See `PromptOpsClient.get_prompt`; tasks that request one key share one request."""
        return (await self._get_result(key, subject, default, refresh)).prompt()

    async def preload(self) -> list[str]:
        """See `PromptOpsClient.preload`."""
        self._enter()
        return await self._fetcher.fetch_all()

    async def render(
        self,
        key: str,
        variables: Mapping[str, Any] | None = None,
        *,
        subject: str | None = None,
        strict: bool = False,
        default: str | None = None,
    ) -> str:
        """See `PromptOpsClient.render`."""
        if subject is None and get_running_loop() is self._loop:
            entry = self._cached.get(key)
            if entry is not None and self._store.is_fresh(entry):
                check_default(default)
                return entry.render(variables, strict)
        result = await self._get_result(key, subject, default)
        return result.variant.template.render(variables, strict)

    async def render_messages(
        self,
        key: str,
        variables: Mapping[str, Any] | None = None,
        *,
        subject: str | None = None,
        strict: bool = False,
        default: str | None = None,
    ) -> list[dict[str, Any]]:
        """See `PromptOpsClient.render_messages`."""
        return (await self._get_result(key, subject, default)).variant.messages(variables, strict)

    @staticmethod
    def render_template(
        content: str | None, variables: Mapping[str, Any] | None = None, *, strict: bool = False
    ) -> str:
        """Insert the variables into a text; see `promptops.render_template`."""
        return templates.render_template(content, variables, strict=strict)

    async def watch(self, on_update: OnUpdate | None = None) -> None:
        """See `PromptOpsClient.watch`; runs in a task."""
        if on_update is not None:
            self._listeners.update.append(on_update)
        if self._closed:
            raise ClientClosedError
        self._enter()
        await self._start_watching()

    def on_delete(self, listener: OnDelete) -> None:
        """Call `listener` for each cached prompt that was deleted."""
        self._listeners.delete.append(listener)

    def on_connect(self, listener: OnConnection) -> None:
        """Call `listener` whenever the watch connects."""
        self._listeners.connect.append(listener)

    def on_disconnect(self, listener: OnConnection) -> None:
        """Call `listener` whenever the watch loses its connection."""
        self._listeners.disconnect.append(listener)

    def on_error(self, listener: OnError) -> None:
        """Call `listener` with the error whenever the server refuses the token."""
        self._listeners.error.append(listener)

    async def close(self) -> None:
        """End the watch and all requests, and free all connections. Can be called again.

        Afterwards cached prompts can still be read, but nothing can be fetched.
        """
        self._closed = True
        self._enter()
        if self._watch is not None:
            await self._watch.close()
        await self._fetcher.close()
        await self._http.close()
        await self._notifier.close()

    async def __aenter__(self: C) -> C:
        """Return the client, which is closed at the end of the block."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.close()

    async def _get_result(
        self, key: str, subject: str | None, default: str | None, refresh: bool = False
    ) -> PromptResult:
        check_key(key)
        check_default(default)
        subject = check_subject(subject)
        self._enter()
        if not refresh:
            result = self._results.immediate_result(key, subject, default, self._fetcher.refresh)
            if result is not None:
                return result
        outcome = await (
            self._fetcher.fetch_fresh(key) if refresh else self._fetcher.fetch_missing(key)
        )
        return self._results.result_of(key, subject, default, outcome)

    async def _start_watching(self) -> None:
        self._watched = True
        await self._resumed_watch().wait_for_first_attempt(self._state.options.timeout)

    def _resumed_watch(self) -> AsyncWatch:
        if self._watch is None:
            sync_state = self._state.new_sync_state()
            self._watch = AsyncWatch(
                self._connect_events, sync_state, self._fetcher, self._listeners, self._notifier
            )
        return self._watch

    def _connect(self) -> None:
        """Create everything that belongs to one event loop."""
        self._pid = getpid()
        self._notifier = Notifier()
        options = self._state.options
        self._http = AsyncHttpClient(self._route, options.token)
        self._fetcher = AsyncFetcher(
            self._http, self._state.policy, options.timeout, closed=self._closed
        )

    def _enter(self) -> None:
        """Run before each call: continue in the running loop, also in a child process after a
        fork."""
        loop = get_running_loop()
        if loop is self._loop:
            return
        if self._loop is not None:
            self._leave(self._loop)
        self._loop = loop
        if self._watched and not self._closed:
            self._resumed_watch()

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        previous_loop = PreviousLoop(self._http, self._fetcher, self._notifier, self._watch)
        is_child = getpid() != self._pid
        if is_child:
            previous_loop.keep_open()
        else:
            previous_loop.end_in(loop)
        if not self._closed and (is_child or self._watched):
            # The client has missed changes between the two loops.
            self._store.inherit_all()
        self._store.mark_unwatched()
        self._state.policy.reset()
        self._watch = None
        self._connect()

    def _notify(self, notification: Notification) -> None:
        # Each loop has its own notifier.
        self._notifier.notify(notification)

    async def _connect_events(self, sync_state: SyncState) -> AsyncWebSocket:
        headers = {"Authorization": f"Bearer {self._state.options.token}"}
        path = self._state.watch_path(sync_state)
        timeout = self._state.options.timeout
        return await AsyncWebSocket.open(self._route, path, headers, timeout)
