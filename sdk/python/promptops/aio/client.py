"""The client for programs that use asyncio."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Mapping
from os import getpid
from types import TracebackType
from typing import Any, TypeVar

from promptops import templates
from promptops.aio.fetcher import AsyncFetcher
from promptops.aio.http import AsyncHttpClient
from promptops.aio.leaving import Left
from promptops.aio.streams import Route
from promptops.aio.telling import Teller
from promptops.aio.watch import AsyncWatch
from promptops.aio.websocket import AsyncWebSocket
from promptops.answers import Answer
from promptops.errors import ClientClosedError, PromptOpsError
from promptops.following import Following
from promptops.listeners import Deletion, Telling, Update
from promptops.memory import Known
from promptops.prompts import Prompt, check_default, check_key, check_subject
from promptops.setup import AnyPath, Options, Setup

C = TypeVar("C", bound="AsyncPromptOpsClient")

# Each may be a coroutine function.
OnUpdate = Callable[[Update], Awaitable[object] | object]
OnDelete = Callable[[Deletion], Awaitable[object] | object]
OnConnection = Callable[[], Awaitable[object] | object]
OnError = Callable[[PromptOpsError], Awaitable[object] | object]


class AsyncPromptOpsClient:
    """`PromptOpsClient` for asyncio: the same arguments, methods, answers and errors.

    For the tasks of one event loop at a time: called in another one, it goes on there, with
    connections and a watch of its own. What is held is answered without giving up control to the
    loop. Listeners may be coroutine functions; they are called and awaited one after the other, in
    a task of their own.
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
        self._teller = Teller()
        self._setup = Setup(options, self._tell)
        self._listeners = self._setup.listeners
        self._memory = self._setup.memory
        self._answers = self._setup.answers
        address = self._setup.address
        tls = (ssl_context or ssl.create_default_context()) if address.secure else None
        self._route = Route(address, address.proxy(), tls)
        self._watch: AsyncWatch | None = None
        self._watched = self._closed = False
        # The loop that all tasks and connections belong to.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._held: dict[str, Known] = self._memory.held
        self._connect()

    async def get_prompt(
        self,
        key: str,
        refresh: bool = False,
        *,
        subject: str | None = None,
        default: str | None = None,
    ) -> Prompt:
        """As `PromptOpsClient.get_prompt`; tasks that ask for one key share one request."""
        return (await self._answer(key, subject, default, refresh)).prompt()

    async def preload(self) -> list[str]:
        """As `PromptOpsClient.preload`."""
        self._enter()
        return await self._fetcher.snapshot()

    async def render(
        self,
        key: str,
        variables: Mapping[str, Any] | None = None,
        *,
        subject: str | None = None,
        strict: bool = False,
        default: str | None = None,
    ) -> str:
        """As `PromptOpsClient.render`."""
        if subject is None and get_running_loop() is self._loop:
            known = self._held.get(key)
            if known is not None and self._memory.is_fresh(known):
                check_default(default)
                return known.render(variables, strict)
        answer = await self._answer(key, subject, default)
        return answer.variant.template.render(variables, strict)

    async def render_messages(
        self,
        key: str,
        variables: Mapping[str, Any] | None = None,
        *,
        subject: str | None = None,
        strict: bool = False,
        default: str | None = None,
    ) -> list[dict[str, Any]]:
        """As `PromptOpsClient.render_messages`."""
        return (await self._answer(key, subject, default)).variant.messages(variables, strict)

    @staticmethod
    def render_template(
        content: str | None, variables: Mapping[str, Any] | None = None, *, strict: bool = False
    ) -> str:
        """Put the variables into a text, as `promptops.render_template` does."""
        return templates.render_template(content, variables, strict=strict)

    async def watch(self, on_update: OnUpdate | None = None) -> None:
        """As `PromptOpsClient.watch`, in a task."""
        if on_update is not None:
            self._listeners.update.append(on_update)
        if self._closed:
            raise ClientClosedError
        self._enter()
        await self._watch_from_now_on()

    def on_delete(self, listener: OnDelete) -> None:
        """Call this for each held prompt that turns out to be deleted."""
        self._listeners.delete.append(listener)

    def on_connect(self, listener: OnConnection) -> None:
        """Call this whenever the watch's connection stands."""
        self._listeners.connect.append(listener)

    def on_disconnect(self, listener: OnConnection) -> None:
        """Call this whenever the watch's connection is lost."""
        self._listeners.disconnect.append(listener)

    def on_error(self, listener: OnError) -> None:
        """Call this with the error whenever the token is refused."""
        self._listeners.error.append(listener)

    async def close(self) -> None:
        """End the watch and all requests, and free all connections; again is allowed.

        What is held can still be read afterwards, nothing can be fetched.
        """
        self._closed = True
        self._enter()
        if self._watch is not None:
            await self._watch.close()
        await self._fetcher.close()
        await self._http.close()
        await self._teller.close()

    async def __aenter__(self: C) -> C:
        """The client itself, closed at the end of the block."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.close()

    async def _answer(
        self, key: str, subject: str | None, default: str | None, refresh: bool = False
    ) -> Answer:
        check_key(key)
        check_default(default)
        subject = check_subject(subject)
        self._enter()
        if not refresh:
            answer = self._answers.at_once(key, subject, default, self._fetcher.refresh)
            if answer is not None:
                return answer
        outcome = await (self._fetcher.fresh(key) if refresh else self._fetcher.missing(key))
        return self._answers.after(key, subject, default, outcome)

    async def _watch_from_now_on(self) -> None:
        self._watched = True
        await self._resumed_watch().wait_until_tried(self._setup.options.timeout)

    def _resumed_watch(self) -> AsyncWatch:
        if self._watch is None:
            following = self._setup.new_following()
            self._watch = AsyncWatch(
                self._connect_events, following, self._fetcher, self._listeners, self._teller
            )
        return self._watch

    def _connect(self) -> None:
        """Everything that belongs to one event loop, made anew."""
        self._pid = getpid()
        self._teller = Teller()
        options = self._setup.options
        self._http = AsyncHttpClient(self._route, options.token)
        self._fetcher = AsyncFetcher(
            self._http, self._setup.fetches, options.timeout, closed=self._closed
        )

    def _enter(self) -> None:
        """Before each call: go on in the loop that runs, as in a child process after a fork."""
        loop = get_running_loop()
        if loop is self._loop:
            return
        if self._loop is not None:
            self._leave(self._loop)
        self._loop = loop
        if self._watched and not self._closed:
            self._resumed_watch()

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        left = Left(self._http, self._fetcher, self._teller, self._watch)
        is_child = getpid() != self._pid
        if is_child:
            left.keep_open()
        else:
            left.end_in(loop)
        if not self._closed and (is_child or self._watched):
            # What changed between the two, nobody has told this client.
            self._memory.leave_behind()
        self._memory.unwatched()
        self._setup.fetches.begin_anew()
        self._watch = None
        self._connect()

    def _tell(self, telling: Telling) -> None:
        # The teller is another one in each loop.
        self._teller.tell(telling)

    async def _connect_events(self, following: Following) -> AsyncWebSocket:
        headers = {"Authorization": f"Bearer {self._setup.options.token}"}
        path = self._setup.watch_path(following)
        timeout = self._setup.options.timeout
        return await AsyncWebSocket.open(self._route, path, headers, timeout)
