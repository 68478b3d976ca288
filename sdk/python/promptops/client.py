"""The client that programs use."""

from __future__ import annotations

import logging
import os
import ssl
import threading
import time
import weakref
from collections.abc import Mapping
from os import getpid
from types import TracebackType
from typing import Any, TypeVar

from promptops import templates
from promptops.answers import Answer
from promptops.errors import ClientClosedError
from promptops.fetcher import SECONDS_WITHOUT_THREAD, Fetcher, Refresher
from promptops.following import Following
from promptops.http import HttpClient
from promptops.listeners import OnConnection, OnDelete, OnError, OnUpdate, Untold
from promptops.memory import Known
from promptops.prompts import Prompt, check_default, check_key, check_subject
from promptops.setup import AnyPath, Options, Setup
from promptops.transport import Connector
from promptops.watch import Watch
from promptops.websocket import WebSocket

logger = logging.getLogger("promptops")

C = TypeVar("C", bound="PromptOpsClient")

# On close, to let the threads say goodbye to the server. It takes longer only while
# the operating system looks up a host name, which can't be interrupted, or in a listener.
JOIN_SECONDS = 5.0
# Most children that a fork makes end at once, or become another program.
SECONDS_AFTER_FORK = 0.2


class PromptOpsClient:
    """Fetches prompts from a PromptOps server, holds them in memory and keeps them up to date.

    ``server`` is the server's address, ``namespace`` the environment to read from (``prod``,
    ``dev``, ...), ``token`` an API key, session token or the server's static token, ``app_name``
    what the server's list of live clients shows, ``workspace`` needed only where the token
    reads several.

    ``timeout``, in seconds, is for one fetch as a whole. What is held is asked for again once it is
    ``max_age`` seconds old, in the background and only where no watch keeps it up to date.
    ``cache_dir`` is a folder for the last known good copies, ``bundle`` a saved snapshot; both
    are answered from when there is nothing in memory and the server can't answer.
    ``ssl_context`` replaces the system's trusted certificates for an https server.

    Share one client between all threads, and close it at the end, or use it in a ``with``
    statement. A child process made by a fork may use it as well: with connections of its own.
    Raises ValueError for an address, token or number that can't be right.
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
        self._untold = Untold()
        self._setup = Setup(options, self._untold.add)
        self._ssl_context = ssl_context
        self._listeners = self._setup.listeners
        self._memory = self._setup.memory
        self._answers = self._setup.answers
        self._held: dict[str, Known] = self._memory.held
        self._watched = self._closed = False
        self._no_thread_until = 0.0
        self._fork_lock = threading.Lock()
        self._watch: Watch | None = None
        self._connect()
        _clients.add(self)

    def get_prompt(
        self,
        key: str,
        refresh: bool = False,
        *,
        subject: str | None = None,
        default: str | None = None,
    ) -> Prompt:
        """The prompt: key, version, env, model, content, kind, messages, config, variables.

        While a rollout is on it has `variant` as well: the one of `subject`, which is always the
        same, else one that is drawn for each fetch. `source` is ``memory``, ``server``, ``disk``,
        ``bundle`` or ``default``; `revision` and `age`, the seconds since the server last
        confirmed it, are None where they are not known. The dict is the caller's own.

        What is held is answered at once; with `refresh` the server is asked first. Threads that ask
        for one key at the same time share one request. When the server can't answer, the next
        of these is: memory, disk, bundle, `default` (a text). A prompt that is not there is
        answered by the `default` only.

        Raises, where there is nothing to answer, NotFoundError, UnauthorizedError, ForbiddenError,
        ServerError (each a ResponseError), ServerUnreachableError, RequestTimeoutError,
        ProtocolError; where it would have to fetch, ClientClosedError; ValueError for what is no
        key: the empty text, a dot or two, a text that has no UTF-8.
        """
        return self._answer(key, subject, default, refresh).prompt()

    def preload(self) -> list[str]:
        """Fetch all prompts of the namespace in one request, and hold them; returns their keys.

        Raises the errors of `get_prompt`; what is held stays then. Servers without snapshots
        (404) are a ProtocolError.
        """
        self._enter()
        return self._fetcher.snapshot()

    def render(
        self,
        key: str,
        variables: Mapping[str, Any] | None = None,
        *,
        subject: str | None = None,
        strict: bool = False,
        default: str | None = None,
    ) -> str:
        """The prompt's content with the variables put in; of a chat prompt, all messages' texts.

        Fails as `get_prompt` and `render_template` do.
        """
        # Not every process manager calls the hooks of a fork.
        if subject is None and getpid() == self._pid:
            known = self._held.get(key)
            if known is not None and self._memory.is_fresh(known):
                check_default(default)
                return known.render(variables, strict)
        template = self._answer(key, subject, default).variant.template
        return template.render(variables, strict)

    def render_messages(
        self,
        key: str,
        variables: Mapping[str, Any] | None = None,
        *,
        subject: str | None = None,
        strict: bool = False,
        default: str | None = None,
    ) -> list[dict[str, Any]]:
        """The messages of a chat prompt, each `content` rendered; fails as `render` does.

        A text prompt is one message with the role ``user``.
        """
        return self._answer(key, subject, default).variant.messages(variables, strict)

    @staticmethod
    def render_template(
        content: str | None, variables: Mapping[str, Any] | None = None, *, strict: bool = False
    ) -> str:
        """Put the variables into a text, as `promptops.render_template` does."""
        return templates.render_template(content, variables, strict=strict)

    def watch(self, on_update: OnUpdate | None = None) -> None:
        """Keep the held prompts up to date from now on, in a background thread.

        Returns once the first connection stands or has failed, within the time-out: where
        it stands, no later change is missed. A failure isn't raised, the thread tries again.

        `on_update` is called in that thread with ``{"key", "prompt", "event"}`` for each change in
        this namespace once the prompt is fetched, also of prompts that were not held before
        (they are from then on). Without any `on_update` only held prompts are refetched. Changes
        of one key that come while the thread is busy count as one, the newest. Where the server
        can't say what was missed, all held prompts are refetched, and those that changed are
        told with an event of the type ``prompt.refreshed``, which the SDK makes itself. What
        `on_update` raises is logged.

        May be called again: there is one thread, and each `on_update` given is called.
        Raises ClientClosedError.
        """
        if on_update is not None:
            self._listeners.update.append(on_update)
        self._enter()
        self._watch_from_now_on()

    def on_delete(self, listener: OnDelete) -> None:
        """Call this with ``{"key", "event"}`` for each held prompt that turns out to be deleted,
        in whatever thread that is; without an event of the server, with one the SDK makes."""
        self._listeners.delete.append(listener)

    def on_connect(self, listener: OnConnection) -> None:
        """Call this, in the watch's thread, whenever its connection stands."""
        self._listeners.connect.append(listener)

    def on_disconnect(self, listener: OnConnection) -> None:
        """Call this, in the watch's thread, whenever its connection is lost."""
        self._listeners.disconnect.append(listener)

    def on_error(self, listener: OnError) -> None:
        """Call this with the error whenever the token is refused, in whatever thread that is."""
        self._listeners.error.append(listener)

    def close(self) -> None:
        """End the watch and all requests, and free all connections; again is allowed.

        What is held can still be read afterwards, nothing can be fetched.
        """
        self._notice_fork()
        with self._lock:
            self._closed = True
            self._connector.close()
            watch = self._watch
        self._refresher.join(JOIN_SECONDS)
        if watch is not None:
            watch.join(JOIN_SECONDS)
        self._http.close()

    def __enter__(self: C) -> C:
        """The client itself, closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.close()

    def _answer(
        self, key: str, subject: str | None, default: str | None, refresh: bool = False
    ) -> Answer:
        check_key(key)
        check_default(default)
        subject = check_subject(subject)
        self._enter()
        if not refresh:
            answer = self._answers.at_once(key, subject, default, self._refresher.want)
            if answer is not None:
                return answer
        outcome = self._fetcher.fresh(key) if refresh else self._fetcher.missing(key)
        return self._answers.after(key, subject, default, outcome)

    def _watch_from_now_on(self) -> None:
        if self._closed:
            raise ClientClosedError
        self._watched = True
        self._resume_watch()
        watch = self._watch
        if watch is not None:
            watch.wait_until_tried(self._setup.options.timeout)

    def _resume_watch(self, delay: float = 0.0) -> None:
        """Start the watch, unless it runs. Where there is no thread for it, the next call tries."""
        with self._lock:
            now = time.monotonic()
            if self._watch is not None or self._closed or now < self._no_thread_until:
                return
            try:
                self._watch = self._new_watch(delay)
            except RuntimeError as error:
                if not self._no_thread_until:
                    logger.warning("hot reload has no thread, and is tried again: %s", error)
                self._no_thread_until = now + SECONDS_WITHOUT_THREAD

    def _new_watch(self, delay: float) -> Watch:
        following = self._setup.new_following()
        return Watch(
            self._connector,
            self._connect_events,
            following,
            self._fetcher,
            self._listeners,
            self._untold,
            delay=delay,
        )

    def _connect(self) -> None:
        """Everything that can't be shared with another process, made anew."""
        self._pid = getpid()
        self._lock = threading.Lock()
        self._connector = Connector(self._setup.address, self._ssl_context)
        self._http = HttpClient(self._connector, self._setup.options.token)
        fetches, timeout = self._setup.fetches, self._setup.options.timeout
        self._fetcher = Fetcher(self._connector, self._http, fetches, timeout, self._untold)
        self._refresher = Refresher(self._fetcher, self._connector)

    def _connect_events(self, following: Following) -> WebSocket:
        headers = {"Authorization": f"Bearer {self._setup.options.token}"}
        path = self._setup.watch_path(following)
        return WebSocket.open(self._connector, path, headers, self._setup.options.timeout)

    def _enter(self) -> None:
        """Before each call: go on in a child process, and with a watch that has ended there."""
        self._notice_fork()
        if self._watched and self._watch is None:
            self._resume_watch()

    def _notice_fork(self) -> None:
        if getpid() != self._pid:
            with self._fork_lock:
                if getpid() != self._pid:
                    self._after_fork()

    def _after_fork(self) -> None:
        """In the child: its parent's threads are not here, its connections are not ours."""
        self._connector.abandon()
        self._setup.fetches.begin_anew()
        if self._watch is not None:
            self._watch.abandon()
            self._watch = None
        self._connect()
        if self._closed:
            self._connector.close()
            self._memory.unwatched()
        else:
            # What changed between the fork and the child's first call, nobody has told it.
            self._memory.leave_behind()

    def _after_fork_hook(self) -> None:
        self._fork_lock = threading.Lock()
        self._after_fork()
        # Listeners are told even if the child never makes a call.
        if self._watched and self._listeners.any():
            self._resume_watch(delay=SECONDS_AFTER_FORK)


_clients: weakref.WeakSet[PromptOpsClient] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for client in list(_clients):
        client._after_fork_hook()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
