"""The synchronous client."""

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
from promptops.errors import ClientClosedError
from promptops.fetch_thread import SECONDS_WITHOUT_THREAD, Fetcher, Refresher
from promptops.http import HttpClient
from promptops.listeners import OnConnection, OnDelete, OnError, OnUpdate, PendingNotifications
from promptops.options import AnyPath, ClientState, Options
from promptops.prompt_store import CachedPrompt
from promptops.prompts import Prompt, check_default, check_key, check_subject
from promptops.results import PromptResult
from promptops.sync_state import SyncState
from promptops.transport import Connector
from promptops.watch import Watch
from promptops.websocket import WebSocket

logger = logging.getLogger("promptops")

C = TypeVar("C", bound="PromptOpsClient")

# The longest that `close` waits for the threads to disconnect. A thread needs longer only during a
# look-up of a host name, which can't be interrupted, or in a listener.
JOIN_SECONDS = 5.0
# Most child processes exit or start another program within this time.
SECONDS_AFTER_FORK = 0.2


class PromptOpsClient:
    """Fetches prompts from a PromptOps server, caches them in memory and keeps them up to date.

     ``server`` is the server's address, ``namespace`` the environment to read from (``prod``,
    ``dev``, ...), ``token`` an API key, session token or the server's static token, ``app_name``
    the name in the server's list of live clients, ``workspace`` is needed only if the token can
    read several.

    ``timeout``, in seconds, limits a whole fetch. The client refreshes a cached copy in the
    background once it is ``max_age`` seconds old, unless a watch keeps it up to date. ``cache_dir``
    is a folder for the last known good copies, ``bundle`` a saved snapshot; the client uses both if
    it has no cached copy and the server can't respond. ``ssl_context`` replaces the system's
    trusted certificates for an https server.

    Share one client between all threads, and close it at the end or use it in a ``with`` statement.
    A child process after a fork may use it as well, with its own connections. Raises ValueError for
    an invalid address, token or number.
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
        self._pending = PendingNotifications()
        self._state = ClientState(options, self._pending.add)
        self._ssl_context = ssl_context
        self._listeners = self._state.listeners
        self._store = self._state.store
        self._results = self._state.results
        self._cached: dict[str, CachedPrompt] = self._store.cached
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
        """Return the prompt: key, version, env, model, content, kind, messages, config, variables.

         During a rollout it also has `variant`: always the same one for a `subject`, otherwise one
        drawn by each fetch. `source` is ``memory``, ``server``, ``disk``, ``bundle`` or
        ``default``. `revision` and `age`, the seconds since the server last confirmed the copy, are
        None if unknown. The caller owns the dict.

        A cached copy is returned immediately; with `refresh` the client asks the server first.
        Threads that request one key at the same time share one request. If the server can't
        respond, the client tries in this order: memory, disk, bundle, `default` (a text). For a
        prompt that does not exist only the `default` is returned.

        Raises, if there is nothing to return, NotFoundError, UnauthorizedError, ForbiddenError,
        ServerError (each a ResponseError), ServerUnreachableError, RequestTimeoutError,
        ProtocolError; ClientClosedError if it would have to fetch; ValueError for an invalid key:
        an empty text, one or two dots, a text that can't be encoded in UTF-8.
        """
        return self._get_result(key, subject, default, refresh).prompt()

    def preload(self) -> list[str]:
        """Fetch all prompts of the namespace in one request, cache them and return their keys.

         Raises the errors of `get_prompt`; cached copies stay then. A server without snapshots
        (404) causes a ProtocolError.
        """
        self._enter()
        return self._fetcher.fetch_all()

    def render(
        self,
        key: str,
        variables: Mapping[str, Any] | None = None,
        *,
        subject: str | None = None,
        strict: bool = False,
        default: str | None = None,
    ) -> str:
        """Return the prompt's content with the variables inserted; of a chat prompt, all its texts.

        Raises the errors of `get_prompt` and `render_template`.
        """
        # Not every process manager calls the fork hooks.
        if subject is None and getpid() == self._pid:
            entry = self._cached.get(key)
            if entry is not None and self._store.is_fresh(entry):
                check_default(default)
                return entry.render(variables, strict)
        template = self._get_result(key, subject, default).variant.template
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
        """Return the messages of a chat prompt, with the variables in their texts and URLs.

         A placeholder, ``{"type": "placeholder", "name": "history"}``, is replaced by the list of
        messages in the variable ``history``, unchanged; without the variable it is left out. A text
        prompt becomes one message with the role ``user``. Raises the errors of `render`, and
        PlaceholderError for a value that can't fill a placeholder.
        """
        return self._get_result(key, subject, default).variant.messages(variables, strict)

    @staticmethod
    def render_template(
        content: str | None, variables: Mapping[str, Any] | None = None, *, strict: bool = False
    ) -> str:
        """Insert the variables into a text; see `promptops.render_template`."""
        return templates.render_template(content, variables, strict=strict)

    def watch(self, on_update: OnUpdate | None = None) -> None:
        """Keep the cached prompts up to date from now on, in a background thread.

         Returns after the first connection succeeded or failed, at most after the time-out. After a
        success, no later change is missed. A failure raises no error; the thread tries again.

        The thread calls `on_update` with ``{"key", "prompt", "event"}`` for each change in this
        namespace after it fetched the prompt, including prompts that were not cached before (they
        are cached from then on). Without any `on_update` it refetches only cached prompts. Changes
        of one key that arrive while the thread is busy count as one, the newest. If the server
        can't resend missed changes, the thread refetches all cached prompts and calls `on_update`
        for those that changed, with an event of the type ``prompt.refreshed`` that the SDK creates.
        Errors of `on_update` are logged.

        You can call this again: there is one thread, and it calls each `on_update`. Raises
        ClientClosedError.
        """
        if on_update is not None:
            self._listeners.update.append(on_update)
        self._enter()
        self._start_watching()

    def on_delete(self, listener: OnDelete) -> None:
        """Call `listener` with ``{"key", "event"}`` for each cached prompt that was deleted, in the
        thread that detects it. Without an event of the server, the SDK creates one."""
        self._listeners.delete.append(listener)

    def on_connect(self, listener: OnConnection) -> None:
        """Call `listener` in the watch's thread whenever the watch connects."""
        self._listeners.connect.append(listener)

    def on_disconnect(self, listener: OnConnection) -> None:
        """Call `listener` in the watch's thread whenever the watch loses its connection."""
        self._listeners.disconnect.append(listener)

    def on_error(self, listener: OnError) -> None:
        """Call `listener` with the error whenever the server refuses the token, in any thread."""
        self._listeners.error.append(listener)

    def close(self) -> None:
        """End the watch and all requests, and free all connections. Can be called again.

        Afterwards cached prompts can still be read, but nothing can be fetched.
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
        """Return the client, which is closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.close()

    def _get_result(
        self, key: str, subject: str | None, default: str | None, refresh: bool = False
    ) -> PromptResult:
        check_key(key)
        check_default(default)
        subject = check_subject(subject)
        self._enter()
        if not refresh:
            result = self._results.immediate_result(
                key, subject, default, self._refresher.request_refresh
            )
            if result is not None:
                return result
        outcome = self._fetcher.fetch_fresh(key) if refresh else self._fetcher.fetch_missing(key)
        return self._results.result_of(key, subject, default, outcome)

    def _start_watching(self) -> None:
        if self._closed:
            raise ClientClosedError
        self._watched = True
        self._resume_watch()
        watch = self._watch
        if watch is not None:
            watch.wait_for_first_attempt(self._state.options.timeout)

    def _resume_watch(self, delay: float = 0.0) -> None:
        """Start the watch unless it runs. Without a free thread, the next call tries again."""
        with self._lock:
            now = time.monotonic()
            if self._watch is not None or self._closed or now < self._no_thread_until:
                return
            try:
                self._watch = self._new_watch(delay)
            except RuntimeError as error:
                if not self._no_thread_until:
                    logger.warning("hot reload has no thread, trying again: %s", error)
                self._no_thread_until = now + SECONDS_WITHOUT_THREAD

    def _new_watch(self, delay: float) -> Watch:
        sync_state = self._state.new_sync_state()
        return Watch(
            self._connector,
            self._connect_events,
            sync_state,
            self._fetcher,
            self._listeners,
            self._pending,
            delay=delay,
        )

    def _connect(self) -> None:
        """Create everything that can't be shared with another process."""
        self._pid = getpid()
        self._lock = threading.Lock()
        self._connector = Connector(self._state.address, self._ssl_context)
        self._http = HttpClient(self._connector, self._state.options.token)
        policy, timeout = self._state.policy, self._state.options.timeout
        self._fetcher = Fetcher(self._connector, self._http, policy, timeout, self._pending)
        self._refresher = Refresher(self._fetcher, self._connector)

    def _connect_events(self, sync_state: SyncState) -> WebSocket:
        headers = {"Authorization": f"Bearer {self._state.options.token}"}
        path = self._state.watch_path(sync_state)
        return WebSocket.open(self._connector, path, headers, self._state.options.timeout)

    def _enter(self) -> None:
        """Run before each call: detect a fork, and restart a watch that ended with it."""
        self._notice_fork()
        if self._watched and self._watch is None:
            self._resume_watch()

    def _notice_fork(self) -> None:
        if getpid() != self._pid:
            with self._fork_lock:
                if getpid() != self._pid:
                    self._after_fork()

    def _after_fork(self) -> None:
        """Run in the child: the threads stay in the parent, and so do the connections."""
        self._connector.abandon()
        self._state.policy.reset()
        if self._watch is not None:
            self._watch.abandon()
            self._watch = None
        self._connect()
        if self._closed:
            self._connector.close()
            self._store.mark_unwatched()
        else:
            # The child has missed changes between the fork and its first call.
            self._store.inherit_all()

    def _after_fork_hook(self) -> None:
        self._fork_lock = threading.Lock()
        self._after_fork()
        # Listeners receive changes even if the child never makes a call.
        if self._watched and self._listeners.has_any():
            self._resume_watch(delay=SECONDS_AFTER_FORK)


_clients: weakref.WeakSet[PromptOpsClient] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for client in list(_clients):
        client._after_fork_hook()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
