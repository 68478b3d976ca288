"""What is done to request bodies before the routes see them."""

import json

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptops_platform.errors import BadRequest, BodyTooLarge, PlatformError

# Of a caller who is not known: a login is the most that there is to send.
ANONYMOUS_LIMIT = 4 * 1024
# Reading them takes a tenth of a second: lists and objects are far slower to make than texts.
MOST_VALUES = 50_000


class RequestBody:
    """Refuses bodies over `limit` bytes or `MOST_VALUES` values, and reads every other one as JSON.

    Existing scripts post JSON with whatever content type their HTTP client puts there
    (`curl -d` says it is a form), so the declared type is not asked.
    """

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self.app(scope, receive, send)
            return
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
        return min(ANONYMOUS_LIMIT, self.limit) if scope["actor"] is None else self.limit


class _Replay:
    """Hands on a body that was read, then what the server says of the connection."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    """The whole body; None where the client left. Raises BodyTooLarge and BadRequest."""
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
    if has_too_many_values(body):
        raise BadRequest(
            f"the body's JSON has more than {MOST_VALUES} values; send it in several requests"
        )
    return body


def _too_large(limit: int) -> BodyTooLarge:
    remedy = (
        "send less" if limit <= ANONYMOUS_LIMIT else "send less, or raise PROMPTOPS_MAX_BODY_BYTES"
    )
    return BodyTooLarge(f"the request body is larger than {limit} bytes; {remedy}")


def has_too_many_values(body: bytes) -> bool:
    """Whether it would be JSON with more than `MOST_VALUES` values; as fast as bytes are counted.

    Each value but the first stands behind a bracket, a brace or a comma.
    """
    if _marks(body) <= MOST_VALUES:
        return False
    if not json.detect_encoding(body).startswith("utf-8"):
        # What is in quotes can't be told by bytes.
        return True
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Four of a name and its value.
    if bare.count(b'"') > 4 * MOST_VALUES:
        return True
    return _marks(b"".join(bare.split(b'"')[::2])) > MOST_VALUES


def _marks(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0
