"""What is done to request bodies before the routes see them."""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptops_platform.errors import BodyTooLarge


class RequestBody:
    """Refuses bodies over `limit` bytes and reads every other one as JSON.

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
        if _declared_length(scope) > self.limit:
            await self._refuse(scope, receive, send)
            return
        scope["headers"] = [
            *((name, value) for name, value in scope["headers"] if name != b"content-type"),
            (b"content-type", b"application/json"),
        ]
        await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, counting what a body without a declared length brings."""
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > self.limit:
                    raise _TooMuch
            return message

        try:
            await self.app(scope, counted, send)
        except _TooMuch:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = BodyTooLarge(
            f"the request body is larger than {self.limit} bytes; send less, or raise "
            "PROMPTOPS_MAX_BODY_BYTES"
        )
        await JSONResponse(error.body(), status_code=error.status)(scope, receive, send)


class _TooMuch(BaseException):
    """Not an Exception, so that no handler on the way answers it as a malformed body."""


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0
