"""The session of the web console: a cookie that stands for the bearer token.

No script can read the cookie, and no other site can make a browser send it. What changes something
has to repeat a token of the session's in a header as well, so that a page of another origin can't
act for the reader even where a browser gives the cookie away.
"""

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from promptops_platform.errors import Forbidden
from promptops_platform.http.error_answers import answer

COOKIE = "promptops_session"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# The login itself: there is no session yet whose token could be repeated.
LOGIN = ("POST", "/api/session")
# In the scope of what speaks by the cookie.
BY_COOKIE = "promptops.by_cookie"


def csrf_token(token: str) -> str:
    """What a change must repeat; it tells nothing of the session's own token."""
    return hashlib.sha256(f"csrf:{token}".encode(errors="surrogatepass")).hexdigest()


def set_session(response: Response, token: str, *, seconds: int, secure: bool) -> None:
    """Put the session into the browser's keeping, for at most `seconds`."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=seconds,
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def forget_session(response: Response) -> None:
    """Take the session out of the browser's keeping."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


class SessionCookie:
    """Lets requests speak by the cookie where they bring no bearer token."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = None if scope["type"] == "lifespan" else _session(scope)
        if token is None:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["type"] == "websocket":
            if not _is_same_origin(headers):
                await WebSocket(scope, receive, send).send_denial_response(_refusal(_OTHER_ORIGIN))
                return
        elif (problem := _problem(scope, headers, token)) is not None:
            await _refusal(problem)(scope, receive, send)
            return
        bearer = (b"authorization", b"Bearer " + token.encode("latin-1"))
        headers_with_token = [*scope["headers"], bearer]
        await self.app({**scope, "headers": headers_with_token, BY_COOKIE: True}, receive, send)


_OTHER_ORIGIN = "the request comes from another origin; open the console at its own address"
_NO_CSRF_TOKEN = f"the header {CSRF_HEADER} does not match the session; reload the page"


def _problem(scope: Scope, headers: Headers, token: str) -> str | None:
    """Why a request with the cookie must not be carried out; None where it may."""
    if scope["method"] in SAFE_METHODS:
        return None
    if "origin" in headers and not _is_same_origin(headers):
        return _OTHER_ORIGIN
    if (scope["method"], scope["path"]) == LOGIN:
        return None
    sent = headers.get(CSRF_HEADER, "")
    is_repeated = hmac.compare_digest(sent.encode("latin-1"), csrf_token(token).encode())
    return None if is_repeated else _NO_CSRF_TOKEN


def _refusal(sentence: str) -> JSONResponse:
    return answer(Forbidden(sentence))


def _session(scope: Scope) -> str | None:
    """The cookie's token, None where there is none or a bearer token stands beside it."""
    cookies = [value for name, value in scope["headers"] if name == b"cookie"]
    if not cookies or any(name == b"authorization" for name, _ in scope["headers"]):
        return None
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(b"; ".join(cookies).decode("latin-1"))
    except CookieError:
        return None
    return jar[COOKIE].value or None if COOKIE in jar else None


def _is_same_origin(headers: Headers) -> bool:
    """Whether the page that asks was served under the host that the request names."""
    origin = urlsplit(headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc.lower() == headers.get("host", "").lower()
