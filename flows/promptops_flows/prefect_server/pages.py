"""Restricts Prefect's web pages to this host: what a browser may load, and where links lead.

Prefect ships two user interfaces. The older one forgets the requested page when it sends a browser
to the login, so only the newer one, under `/v2`, is served here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import prefect

_BASE = "/v2"
# Paths outside of the pages; the pages first fetch /ui-settings.
_OTHERS = ("/api", "/ui-settings")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


def serve_one_interface() -> None:
    """Call this before Prefect's application is created."""
    # Prefect doesn't serve an interface whose files are missing.
    prefect.__ui_static_path__ = Path("without-the-older-interface")


class GuardedPages:
    """Prefect's application with headers that let its pages load and call only itself, and with
    redirects for the older interface's paths, which Prefect's client links to."""

    def __init__(self, application: Application, api_url: str) -> None:
        self._application = application
        self._headers = _headers(api_url)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else "/api"
        if _is_below(path, _OTHERS):
            await self._application(scope, receive, send)
        elif _is_below(path, (_BASE,)):
            await self._application(scope, receive, self._guarded(send))
        else:
            await _redirect(scope, send)

    def _guarded(self, send: Send) -> Send:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        return guarded


def _headers(api_url: str) -> list[tuple[bytes, bytes]]:
    api = urlsplit(api_url)
    policy = {
        "default-src": "'self'",
        # The graph of a run is drawn by code that is generated in the browser.
        "script-src": "'self' 'unsafe-eval'",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "worker-src": "'self' blob:",
        # The page may have been opened with another name of this host.
        "connect-src": f"'self' http://{api.netloc} ws://{api.netloc}",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    text = "; ".join(f"{name} {sources}" for name, sources in policy.items())
    return [
        (b"content-security-policy", text.encode("ascii")),
        (b"referrer-policy", b"same-origin"),
        (b"x-content-type-options", b"nosniff"),
    ]


def _is_below(path: str, bases: Iterable[str]) -> bool:
    return any(path == base or path.startswith(f"{base}/") for base in bases)


async def _redirect(scope: Message, send: Send) -> None:
    raw = scope.get("raw_path") or scope["path"].encode()
    # A browser would interpret two slashes at the beginning as another host.
    target = _BASE.encode() + b"/" + raw.lstrip(b"/")
    if query := scope.get("query_string"):
        target += b"?" + query
    headers = [(b"location", target), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
