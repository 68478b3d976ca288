"""The gate before the API: refuses callers without a valid token before the body is read."""

import re
from dataclasses import replace

from starlette.types import ASGIApp, Receive, Scope, Send

from promptops_flows.steps.http_tools import CAUSE_HEADER
from promptops_platform.access.authentication import Authenticator, bearer_token
from promptops_platform.errors import PlatformError
from promptops_platform.http.connection import admit
from promptops_platform.http.error_answers import answer
from promptops_platform.http.secret_paths import has_secret

PREFIX = "/api/"
RUN_HEADER = CAUSE_HEADER.encode()
RUN_ID = re.compile(rb"[0-9A-Za-z-]{1,36}")
PUBLIC_PATHS = frozenset({"/api/login", "/api/session"})
# In addition to everything below the prefix.
GUARDED_PATHS = frozenset({"/metrics"})


class Gate:
    """Sets `scope["actor"]` to the caller, for the guards of the routes; None on public paths."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self.app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["actor"] = None
            # The methods of a path aren't secret, and browsers request them without a token.
            if _is_guarded(scope["path"]) and scope["method"] != "OPTIONS":
                try:
                    actor = await self._authenticator.authenticate(
                        _token(scope), client_address(scope)
                    )
                except PlatformError as error:
                    await answer(error)(scope, receive, send)
                    return
                admit(scope)
                scope["actor"] = replace(
                    actor,
                    address=client_address(scope),
                    request_id=scope["request_id"],
                    caused_by=_causing_run(scope),
                )
        await self.app(scope, receive, send)


def _is_guarded(path: str) -> bool:
    if path in PUBLIC_PATHS or has_secret(path):
        return False
    return path in GUARDED_PATHS or path.startswith(PREFIX)


def client_address(scope: Scope) -> str:
    """Return the caller's address, if it is known."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _causing_run(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == RUN_HEADER and RUN_ID.fullmatch(value):
            return str(value.decode("ascii"))
    return ""


def _token(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return bearer_token(value.decode("latin-1"))
    return None
