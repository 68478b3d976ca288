"""Refuses requests for hosts that aren't configured."""

from collections.abc import Sequence

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from promptops_platform.errors import BadRequest
from promptops_platform.http.error_answers import quoted

ANY = "*"
# Load balancers request these paths with an address as the host.
UNCHECKED = frozenset({"/health", "/ready"})


class AllowedHosts:
    """Admits only requests whose `Host` is among `hosts`; `*.example.org` matches every name below
    it.

    Without it, a web page could reach a server on its reader's machine through a domain of its own
    (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        self._any = ANY in hosts
        self._exact = frozenset(host for host in hosts if not host.startswith("*."))
        self._below = tuple(host[1:] for host in hosts if host.startswith("*."))

    def allow(self, header: bytes) -> bool:
        """Whether a request with this `Host` is accepted."""
        if self._any:
            return True
        host = _host(header)
        return host in self._exact or host.endswith(self._below)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._any or scope["type"] == "lifespan" or scope["path"] in UNCHECKED:
            await self.app(scope, receive, send)
            return
        header = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if self.allow(header):
            await self.app(scope, receive, send)
            return
        host = _host(header)
        error = BadRequest(
            f"the host {quoted(host)} is not allowed; add it to PROMPTOPS_ALLOWED_HOSTS"
        )
        response = JSONResponse(error.body(), status_code=error.status)
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(response)
        else:
            await response(scope, receive, send)


def _host(header: bytes) -> str:
    """Return the header's host in lower case, without its port."""
    host = header.decode("latin-1").lower()
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
