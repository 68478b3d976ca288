"""The client that programs use."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from promptops import templates
from promptops.errors import ClientClosedError
from promptops.http import HttpClient
from promptops.prompts import Prompt, PromptStore
from promptops.refetching import OnUpdate, Refetching
from promptops.transport import Connector, ServerAddress
from promptops.watch import Watch
from promptops.websocket import WebSocket

# On close, to let the watch's thread say goodbye to the server. It takes longer only while
# the operating system looks up a host name, which can't be interrupted, or in an `on_update`.
JOIN_SECONDS = 5.0


class PromptOpsClient:
    """Fetches prompts from a PromptOps server, holds them in memory and keeps them up to date.

    ``server`` is the server's address, ``namespace`` the environment to read from (``prod``,
    ``dev``, ...), ``token`` an API key, session token or the server's static token, ``app_name``
    what the server's list of live clients shows. ``timeout``, in seconds, is for one request as a
    whole; ``ssl_context`` replaces the system's trusted certificates for an https server.

    Share one client between all threads, and close it at the end, or use it in a ``with``
    statement. Raises ValueError for an address or token that can't be right.
    """

    def __init__(
        self,
        server: str = "http://127.0.0.1:8080",
        namespace: str = "prod",
        token: str = "promptops-dev-token",  # noqa: S107 (the server's development default)
        app_name: str = "",
        *,
        timeout: float = 10.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._namespace = namespace
        self._token = _checked_token(token)
        self._app_name = app_name
        self._timeout = timeout
        self._connector = Connector(ServerAddress.parse(server), ssl_context)
        self._http = HttpClient(self._connector, self._token)
        self._store = PromptStore(self._http, namespace, timeout)
        self._refetching = Refetching(self._store, namespace)
        self._lock = threading.Lock()
        self._watch: Watch | None = None

    def get_prompt(self, key: str, refresh: bool = False) -> Prompt:
        """The prompt as the server sends it: key, version, env, model, content, perhaps variant.

        The first call fetches it, later ones answer from memory; with `refresh` the server is asked
        again, and on failure the copy in memory stays as it was. The dict is the caller's own.
        Threads that ask for one key at the same time share one request.

        Raises NotFoundError, UnauthorizedError, ForbiddenError, ServerError (each a
        ResponseError), ServerUnreachableError, RequestTimeoutError, ProtocolError and, where it
        would have to fetch, ClientClosedError; ValueError for an empty key.
        """
        if not key:
            raise ValueError("a prompt's key can't be empty")
        return dict(self._store.refresh(key).prompt if refresh else self._store.get(key))

    def render(self, key: str, variables: Mapping[str, Any] | None = None) -> str:
        """The prompt's content with the variables put in; fails as its two halves do."""
        return templates.render_template(self.get_prompt(key)["content"], variables)

    @staticmethod
    def render_template(content: str, variables: Mapping[str, Any] | None = None) -> str:
        """Put the variables into a text, as `promptops.render_template` does."""
        return templates.render_template(content, variables)

    def watch(self, on_update: OnUpdate | None = None) -> None:
        """Keep the held prompts up to date from now on, in a background thread.

        Returns once the first connection stands or has failed, within the time-out: where
        it stands, no later change is missed. A failure isn't raised, the thread tries again.

        `on_update` is called in that thread with ``{"key", "prompt", "event"}`` for each event of
        this namespace once its prompt is fetched, also of prompts that were not held before
        (they are from then on). Without any `on_update` only held prompts are refetched. Events
        of one key that come while the thread is busy count as one, the newest. After a reconnect
        all held prompts are refetched, and those that changed are told with an event of
        the type ``prompt.refreshed``, which the SDK makes itself. What `on_update` raises is
        logged.

        May be called again: there is one thread, and each `on_update` given is called.
        Raises ClientClosedError.
        """
        with self._lock:
            if self._connector.closed:
                raise ClientClosedError
            if on_update is not None:
                self._refetching.add_listener(on_update)
            if self._watch is None:
                self._watch = Watch(self._connector, self._connect_events, self._refetching)
        self._watch.wait_until_tried(self._timeout)

    def close(self) -> None:
        """End the watch and all requests, and free all connections; again is allowed.

        What is held can still be read afterwards, nothing can be fetched.
        """
        with self._lock:
            self._connector.close()
            watch = self._watch
        if watch is not None:
            watch.join(JOIN_SECONDS)
        self._http.close()

    def __enter__(self) -> PromptOpsClient:
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

    def _connect_events(self) -> WebSocket:
        query = urlencode({"client": "python", "app": self._app_name, "namespace": self._namespace})
        headers = {"Authorization": f"Bearer {self._token}"}
        return WebSocket.open(self._connector, f"/ws?{query}", headers, self._timeout)


def _checked_token(token: str) -> str:
    if not token or not all("!" <= character <= "~" for character in token):
        raise ValueError("the token must be printable ASCII without blanks, and not empty")
    return token
