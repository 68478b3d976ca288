"""The fetch of the SDKs: an ASGI endpoint of its own, without query, validation or encoding."""

from functools import lru_cache
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from promptops_platform.access.actor import Actor
from promptops_platform.access.authentication import Authenticator, bearer_token
from promptops_platform.access.grants import require_environment
from promptops_platform.errors import NotFound, PlatformError
from promptops_platform.http.error_answers import answer, quoted
from promptops_platform.realtime.snapshot import Entry, Snapshot

LONGEST_CACHED_QUERY = 256
PATH = "/api/sdk/prompts/"
DEFAULT_ENVIRONMENT = "prod"
CACHE_CONTROL = (b"cache-control", b"private, no-cache")
JSON_TYPE = (b"content-type", b"application/json")


class FetchEndpoint:
    """Answers `GET /api/sdk/prompts/:key`; everything else goes on to `app`."""

    def __init__(self, app: ASGIApp, *, snapshot: Snapshot, authenticator: Authenticator) -> None:
        self.app = app
        self._snapshot = snapshot
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or not scope["path"].startswith(PATH)
            or scope["method"] not in ("GET", "HEAD")
        ):
            await self.app(scope, receive, send)
            return
        authorization, if_none_match = _sent(scope)
        try:
            actor = await self._authenticator.authenticate(bearer_token(authorization))
            entry = self._find(scope, actor)
        except PlatformError as error:
            await answer(error)(scope, receive, send)
            return
        await _send(entry, if_none_match, scope["method"], send)

    def _find(self, scope: Scope, actor: Actor) -> Entry:
        """Every role may fetch what exists for it (Permission.PROMPTS_FETCH)."""
        key = scope["path"][len(PATH) :]
        env, workspace = _asked(scope["query_string"])
        require_environment(actor, env)
        entry = self._snapshot.lookup(actor, workspace, env, key)
        if entry is None:
            where = f"environment {quoted(env)}" + (
                f" of workspace {quoted(workspace)}" if workspace else ""
            )
            raise NotFound(f"prompt {quoted(key)} not found in {where}; create it there first")
        return entry


def _sent(scope: Scope) -> tuple[str | None, str | None]:
    """The headers `Authorization` and `If-None-Match`."""
    authorization = if_none_match = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value.decode("latin-1")
        elif name == b"if-none-match":
            if_none_match = value.decode("latin-1")
    return authorization, if_none_match


async def _send(entry: Entry, if_none_match: str | None, method: str, send: Send) -> None:
    unchanged = if_none_match is not None and matches(if_none_match, entry.etag)
    body = b"" if unchanged or method == "HEAD" else entry.body
    headers = [(b"etag", entry.etag), CACHE_CONTROL]
    if not unchanged:
        headers += (JSON_TYPE, (b"content-length", b"%d" % len(entry.body)))
    await send(
        {
            "type": "http.response.start",
            "status": 304 if unchanged else 200,
            "headers": headers,
        }
    )
    await send({"type": "http.response.body", "body": body})


def matches(if_none_match: str, etag: bytes) -> bool:
    """Whether `If-None-Match` names `etag`, by weak comparison (RFC 9110, section 13.1.2)."""
    current = etag.decode()
    candidates = (each.strip().removeprefix("W/") for each in if_none_match.split(","))
    return any(each in ("*", current) for each in candidates)


def _asked(query_string: bytes) -> tuple[str, str | None]:
    if len(query_string) > LONGEST_CACHED_QUERY:
        return _parsed(query_string)
    return _parsed_and_cached(query_string)


def _parsed(query_string: bytes) -> tuple[str, str | None]:
    """Environment and workspace of a query; an empty value means not given."""
    query = parse_qs(query_string.decode(errors="replace"))
    return query.get("env", [DEFAULT_ENVIRONMENT])[0], query.get("workspace", [None])[0]


_parsed_and_cached = lru_cache(maxsize=1024)(_parsed)
