"""Limits and reads request bodies before the routes see them."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptops_platform.errors import BadRequest, BodyTooLarge, PlatformError
from promptops_platform.http.secret_paths import HOOKS_PATH

# For unauthenticated callers, whose longest body is a login.
ANONYMOUS_LIMIT = 4 * 1024
# Senders of signed webhooks have no token; a signed body is a message.
HOOK_LIMIT = 1_048_576
# Parsing and validating this many takes a tenth of a second: lists and objects are slow to create.
MOST_VALUES = 30_000
LONG_BODY, LONGEST_NUMBER = 64 * 1024, 1000
LONG_NUMBER = b"0" * (LONGEST_NUMBER + 1)
DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"0" * 9)


class RequestBody:
    """Refuses bodies over `limit` bytes or `MOST_VALUES` values, and reads all others as JSON.

    Existing scripts post JSON with any content type that their HTTP client sets (`curl -d` sets
    that of a form), so the declared type is ignored.
    """

    def __init__(
        self, app: ASGIApp, *, limit: int, limit_of: Callable[[Any], int | None] = lambda _: None
    ) -> None:
        """`limit_of` returns the limit of callers that have a different one."""
        self.app = app
        self.limit = limit
        self._limit_of = limit_of

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # A plain function: a coroutine would stay in memory for each watcher while it is connected.
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            return self.app(scope, receive, send)
        return self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _read(scope, receive, self._limit_for(scope))
        except PlatformError as error:
            await JSONResponse(error.body(), status_code=error.status)(scope, receive, send)
            return
        if body is None:
            return
        scope["headers"] = [
            *((name, value) for name, value in scope["headers"] if name != b"content-type"),
            (b"content-type", b"application/json"),
        ]
        await self.app(scope, _Replay(body, receive), send)

    def _limit_for(self, scope: Scope) -> int:
        if scope["path"].startswith(HOOKS_PATH):
            return min(HOOK_LIMIT, self.limit)
        actor = scope["actor"]
        if actor is None:
            return min(ANONYMOUS_LIMIT, self.limit)
        return self._limit_of(actor) or self.limit


class _Replay:
    """Replays a body that was read, then forwards the server's events about the connection."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    """Read the whole body; None if the client disconnected. Raises BodyTooLarge and BadRequest."""
    if _declared_length(scope) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        parts.append(part)
        length += len(part)
        if length > limit:
            raise _too_large(limit)
        more = message.get("more_body", False)
    body = b"".join(parts)
    refuse_costly(body)
    return body


def _too_large(limit: int) -> BodyTooLarge:
    remedy = (
        "send less"
        if limit <= ANONYMOUS_LIMIT or limit == HOOK_LIMIT
        else "send less, or raise PROMPTOPS_MAX_BODY_BYTES"
    )
    return BodyTooLarge(f"the request body is larger than {limit} bytes; {remedy}")


def refuse_costly(body: bytes) -> None:
    """Raise BadRequest if parsing the body as JSON would take long; as fast as counting bytes."""
    values, digits = _value_marks(body) > MOST_VALUES, _has_long_number(body)
    if not (values or digits):
        return
    outside = _outside_texts(body)
    if values and (outside is None or _value_marks(outside) > MOST_VALUES):
        raise BadRequest(
            f"the body's JSON has more than {MOST_VALUES} values; send it in several requests"
        )
    if digits and (outside is None or _has_long_number(outside)):
        raise BadRequest(
            f"the body's JSON has a number of more than {LONGEST_NUMBER} digits; send it as a text"
        )


def _outside_texts(body: bytes) -> bytes | None:
    """Return a JSON document without its strings; None if finding them would take long."""
    if not json.detect_encoding(body).startswith("utf-8"):
        return None
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Four for a name and its value.
    if bare.count(b'"') > 4 * MOST_VALUES:
        return None
    return b"".join(bare.split(b'"')[::2])


def _has_long_number(text: bytes) -> bool:
    """The cost of a number grows with the square of its length, so a short body can't be
    expensive."""
    return len(text) > LONG_BODY and LONG_NUMBER in text.translate(DIGITS_TO_ZERO)


def _value_marks(text: bytes) -> int:
    """Each value follows a bracket, a brace or a comma; lists and objects count twice."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0
