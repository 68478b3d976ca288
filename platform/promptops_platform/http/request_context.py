"""The outermost layer: request ids, the access log, and the response to an internal error."""

import asyncio
import re
import time
from collections.abc import Callable, Iterable

import structlog
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptops_platform.errors import PlatformError, Unavailable
from promptops_platform.http.connection import NOSNIFF
from promptops_platform.http.error_answers import answer, fault_body
from promptops_platform.http.secret_paths import shown_path
from promptops_platform.ids import new_id

log = structlog.get_logger(__name__)

# A caller's own request id must match this; anything else could forge log lines.
GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

API = "/api/"
CACHE_CONTROL = b"cache-control"

# Called for each response with the request, its status (None if the caller disconnected), and the
# seconds that it took.
Answered = Callable[[Scope, int | None, float], None]


class RequestContext:
    """Gives each HTTP request an id, returns it in `x-request-id`, and logs the request.

    An unhandled exception becomes a 500 whose body contains the id.
    """

    def __init__(self, app: ASGIApp, *, quiet: Callable[[str], bool], answered: Answered) -> None:
        self.app = app
        self.quiet = quiet
        self._answered = answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            # A trailing slash is ignored.
            scope["path"] = scope["path"].rstrip("/") or "/"
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        scope["request_id"] = exchange.request_id
        # Fetch paths are served thousands of times a second: no log line, no context.
        if self.quiet(scope["path"]):
            await self._answer(exchange, receive)
            self._answered(scope, exchange.status, exchange.seconds)
            return
        with structlog.contextvars.bound_contextvars(request_id=exchange.request_id):
            await self._answer(exchange, receive)
            exchange.log()
        self._answered(scope, exchange.status, exchange.seconds)

    async def _answer(self, exchange: "_Exchange", receive: Receive) -> None:
        try:
            await self.app(exchange.scope, receive, exchange.send)
        except asyncio.CancelledError:
            # The server is stopping and this request has used up its time.
            if exchange.status is None:
                await exchange.answer(Unavailable("the server is stopping; try again"))
        except Exception:
            log.exception("request_failed", request_id=exchange.request_id)
            if exchange.status is None:
                await exchange.fail()


class _Exchange:
    """One request and the response so far."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.status: int | None = None
        self.started = time.perf_counter()
        self.request_id = _given_id(scope) or new_id()

    @property
    def seconds(self) -> float:
        """Seconds since the request arrived."""
        return time.perf_counter() - self.started

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message.setdefault("headers", [])
            headers += ((b"x-request-id", self.request_id.encode()), NOSNIFF)
            if self.scope["path"].startswith(API) and not _has(headers, CACHE_CONTROL):
                # API responses may contain secrets and data that not everybody may see.
                headers.append((CACHE_CONTROL, b"no-store"))
        await self._send(message)

    async def answer(self, error: PlatformError) -> None:
        await answer(error)(self.scope, self._receive, self.send)

    async def fail(self) -> None:
        response = JSONResponse(fault_body(self.request_id), status_code=500)
        await response(self.scope, self._receive, self.send)

    def log(self) -> None:
        """Omits what may contain a token: the query string, and some paths."""
        write = log.warning if (self.status or 500) >= 500 else log.info
        write(
            "request",
            method=self.scope["method"],
            path=shown_path(self.scope["path"]),
            status=self.status,
            ms=round(self.seconds * 1000, 1),
        )


def _has(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bool:
    for other, _ in headers:  # noqa: SIM110  the generator of any() costs more than the loop
        if other == name:
            return True
    return False


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return accepted_id(value)
    return None


def accepted_id(value: bytes) -> str | None:
    """Return the id that the caller sent; None if it may not be used."""
    return value.decode() if GIVEN_ID.fullmatch(value) else None
