"""Refuses requests that name a host which is not ours."""

from collections.abc import Sequence

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from promptops_platform.errors import BadRequest
from promptops_platform.http.error_answers import quoted

ANY = "*"
# Asked by load balancers, which name an address.
UNCHECKED = frozenset({"/health", "/ready"})


class AllowedHosts:
    """Takes only requests whose `Host` is among `hosts`; `*.example.org` is any below it.

    This is what keeps a web page from reaching a server on its reader's machine by a name of its
    own (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        self._any = ANY in hosts
        self._exact = frozenset(host for host in hosts if not host.startswith("*."))
        self._below = tuple(host[1:] for host in hosts if host.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._any or scope["type"] == "lifespan" or scope["path"] in UNCHECKED:
            await self.app(scope, receive, send)
            return
        host = _host(scope)
        if host in self._exact or host.endswith(self._below):
            await self.app(scope, receive, send)
            return
        error = BadRequest(
            f"the host {quoted(host)} is not allowed; add it to PROMPTOPS_ALLOWED_HOSTS"
        )
        response = JSONResponse(error.body(), status_code=error.status)
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(response)
        else:
            await response(scope, receive, send)


def _host(scope: Scope) -> str:
    """The named host in lower case, without its port."""
    for name, value in scope["headers"]:
        if name == b"host":
            host: str = value.decode("latin-1").lower()
            return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return ""
