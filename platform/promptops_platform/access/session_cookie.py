"""The session of the web console: a cookie in place of the bearer token.

Scripts can't read the cookie, and other sites can't make a browser send it. Changes also have to
repeat a token of the session in a header, so that a page of another origin can't act for the user
even if a browser leaks the cookie.
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
# The login itself has no session yet whose token could be repeated.
LOGIN = ("POST", "/api/session")
# Set in the scope of requests that are authenticated by the cookie.
BY_COOKIE = "promptops.by_cookie"


def csrf_token(token: str) -> str:
    """Return what a change has to repeat; the session's own token can't be derived from it."""
    return hashlib.sha256(f"csrf:{token}".encode(errors="surrogatepass")).hexdigest()


def set_session(response: Response, token: str, *, seconds: int, secure: bool) -> None:
    """Set the session cookie, for at most `seconds`."""
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
    """Delete the session cookie."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


class SessionCookie:
    """Authenticates requests without a bearer token by the cookie."""

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
    """Return why a request with the cookie is refused; None if it is allowed."""
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
    """Return the cookie's token, None without one or if there is a bearer token as well."""
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
    """Whether the requesting page was served under the host that the request names."""
    origin = urlsplit(headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc.lower() == headers.get("host", "").lower()
