"""`OPTIONS`, which lists the methods of a path, and `HEAD` for every `GET`."""

from collections.abc import Awaitable, Sequence

from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptops_platform.http.allowed_methods import allow_value, allowed_methods, takes
from promptops_platform.http.error_answers import method_not_allowed, no_route


class Methods:
    """Runs before the routes. Below `read_only_prefix` no route has `GET` or `HEAD`, because an
    earlier layer handles them."""

    def __init__(self, app: ASGIApp, *, routes: Sequence[BaseRoute], read_only_prefix: str) -> None:
        self.app = app
        self._routes = routes
        self._read_only_prefix = read_only_prefix

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # A plain function: a coroutine would stay in memory for each watcher while it is connected.
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        if scope["method"] == "OPTIONS":
            allowed = self._allowed(scope)
            response = Response(status_code=204, headers={"allow": allowed})
            return (response if allowed else no_route(scope))(scope, receive, send)
        if scope["path"].startswith(self._read_only_prefix):
            return method_not_allowed(scope, self._allowed(scope))(scope, receive, send)
        if scope["method"] == "HEAD":
            return self._answer_head(scope, receive, send)
        return self.app(scope, receive, send)

    def _allowed(self, scope: Scope) -> str:
        if scope["path"].startswith(self._read_only_prefix):
            return allow_value(["GET"])
        return allowed_methods(self._routes, scope)

    async def _answer_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not takes(self._routes, scope, "GET"):
            allowed = self._allowed(scope)
            refusal = method_not_allowed(scope, allowed) if allowed else no_route(scope)
            await refusal(scope, receive, send)
            return
        as_get = {**scope, "method": "GET"}
        await self.app(as_get, receive, _HeadOnly(send))
        # The metrics count requests by this route.
        scope["route"] = as_get["route"]


class _HeadOnly:
    """Ends a response after its headers, even a stream that would continue while it is read."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b""})
