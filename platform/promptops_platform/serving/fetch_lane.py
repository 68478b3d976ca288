"""A fast path for successful fetches: it skips the layers, which cost as much as everything
else."""

import time

from starlette.types import ASGIApp, Receive, Scope, Send

from promptops_platform.access.authentication import Authenticator, bearer_token
from promptops_platform.access.gate import client_address
from promptops_platform.changes.feed import Feed
from promptops_platform.http.allowed_hosts import AllowedHosts
from promptops_platform.http.connection import NOSNIFF, admit
from promptops_platform.http.request_context import Answered, accepted_id
from promptops_platform.ids import new_id
from promptops_platform.serving.fetch import PATH, FetchEndpoint, response_to
from promptops_platform.serving.query import asked
from promptops_platform.serving.revision import Headers, revision_headers

Response = tuple[int, list[tuple[bytes, bytes]], bytes]


class FetchLane:
    """Handles fetches whose host, token and prompt are valid.

    All other requests go through the layers of `app` from the start: a request has no effect here
    until its response is certain. Requests of browsers, which send a cookie or an origin, always go
    to `app`.
    """

    def __init__(
        self,
        app: ASGIApp,
        fetch: FetchEndpoint,
        *,
        hosts: AllowedHosts,
        authenticator: Authenticator,
        feed: Feed,
        answered: Answered,
    ) -> None:
        self.app = app
        self._fetch = fetch
        self._hosts = hosts
        self._authenticator = authenticator
        self._feed = feed
        self._answered = answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        response = None
        if scope["type"] == "http" and scope["path"].startswith(PATH):
            try:
                response = self._response(scope)
            # Whatever the error is, the layers raise it again and respond to it.
            except Exception:  # noqa: BLE001
                response = None
        if response is None:
            await self.app(scope, receive, send)
            return
        status, headers, body = response
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self._answered(scope, status, time.perf_counter() - started)

    def _response(self, scope: Scope) -> Response | None:
        """Return the response; None if the layers have to handle the request."""
        method = scope["method"]
        if method not in ("GET", "HEAD") or scope["path"].endswith("/"):
            return None
        host = b""
        authorization = if_none_match = request_id = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value.decode("latin-1")
            elif name == b"host":
                host = value
            elif name == b"if-none-match":
                if_none_match = value.decode("latin-1")
            elif name == b"x-request-id":
                request_id = accepted_id(value)
            elif name in (b"cookie", b"origin"):
                return None
        token = bearer_token(authorization)
        if not token or not self._hosts.allow(host):
            return None
        actor = self._authenticator.recognized(token, client_address(scope))
        query = asked(scope["query_string"])
        if actor is None or query.min_revision:
            return None
        # Read before the response is looked up, so that it is of this revision or a later one.
        more: Headers = revision_headers(self._feed) if query.full else ()
        answer = self._fetch.find(scope, actor, query)
        admit(scope)
        status, headers, body = response_to(answer, if_none_match, method, more)
        headers += ((b"x-request-id", (request_id or new_id()).encode()), NOSNIFF)
        return status, headers, body
