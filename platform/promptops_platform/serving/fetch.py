"""The fetch of the SDKs: a separate ASGI endpoint, without query, validation or encoding."""

from starlette.types import ASGIApp, Receive, Scope, Send

from promptops_platform.access.actor import Actor
from promptops_platform.access.authentication import Authenticator, bearer_token
from promptops_platform.access.gate import client_address
from promptops_platform.access.grants import require_environment, require_fetch
from promptops_platform.changes.feed import Feed
from promptops_platform.errors import NotFound, PlatformError
from promptops_platform.field_types import composed
from promptops_platform.http.connection import admit
from promptops_platform.http.error_answers import answer, quoted
from promptops_platform.serving.query import Query, asked
from promptops_platform.serving.revision import Headers, reach, revision_headers
from promptops_platform.serving.rollout_answers import Answer
from promptops_platform.serving.snapshot import Snapshot

PATH = "/api/sdk/prompts/"
CACHE_CONTROL = (b"cache-control", b"private, no-cache")
JSON_TYPE = (b"content-type", b"application/json")


class FetchEndpoint:
    """Handles `GET /api/sdk/prompts/:key`; everything else is forwarded to `app`."""

    def __init__(
        self, app: ASGIApp, *, snapshot: Snapshot, authenticator: Authenticator, feed: Feed
    ) -> None:
        self.app = app
        self._snapshot = snapshot
        self._authenticator = authenticator
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or not scope["path"].startswith(PATH)
            or scope["method"] not in ("GET", "HEAD")
        ):
            await self.app(scope, receive, send)
            return
        authorization, if_none_match = _sent(scope)
        more: Headers = ()
        try:
            actor = await self._authenticator.authenticate(
                bearer_token(authorization), client_address(scope)
            )
            admit(scope)
            query = asked(scope["query_string"])
            if query.min_revision:
                await reach(self._feed, query.min_revision, query.epoch)
            if query.full:
                # Read before the response is looked up, so that it is of this revision or a later
                # one.
                more = revision_headers(self._feed)
            fetched = self.find(scope, actor, query)
        except PlatformError as error:
            response = answer(error)
            # A missing prompt, too, is missing only as of some revision.
            response.raw_headers.extend(more)
            await response(scope, receive, send)
            return
        status, headers, body = response_to(fetched, if_none_match, scope["method"], more)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def find(self, scope: Scope, actor: Actor, query: Query) -> Answer:
        """Return the response for the caller. Raises NotFound, and Forbidden: every role except
        `metrics` may fetch what it may see (Permission.PROMPTS_FETCH)."""
        require_fetch(actor)
        key = scope["path"][len(PATH) :]
        env, name = composed(query.env), composed(key)
        require_environment(actor, env)
        entry = self._snapshot.lookup(actor, query.workspace, env, name)
        if entry is None and (env, name) != (query.env, key) and actor.may_enter(query.env):
            # Older releases stored names without normalizing them.
            entry = self._snapshot.lookup(actor, query.workspace, query.env, key)
        if entry is None:
            where = f"environment {quoted(query.env)}" + (
                f" of workspace {quoted(query.workspace)}" if query.workspace else ""
            )
            raise NotFound(f"prompt {quoted(key)} not found in {where}; create it there first")
        if query.full:
            return Answer.with_etag(entry.whole)
        return (
            entry.explained_for(query.subject) if query.explain else entry.answer_for(query.subject)
        )


def _sent(scope: Scope) -> tuple[str | None, str | None]:
    """Return the headers `Authorization` and `If-None-Match`."""
    authorization = if_none_match = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value.decode("latin-1")
        elif name == b"if-none-match":
            if_none_match = value.decode("latin-1")
    return authorization, if_none_match


def response_to(
    answer: Answer, if_none_match: str | None, method: str, more: Headers
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return status, headers and body of the response, for a client that may have it cached."""
    headers = [(b"etag", answer.etag), CACHE_CONTROL, *more]
    if if_none_match is not None and matches(if_none_match, answer.etag):
        return 304, headers, b""
    headers += (JSON_TYPE, (b"content-length", b"%d" % len(answer.body)))
    return 200, headers, b"" if method == "HEAD" else answer.body


def matches(if_none_match: str, etag: bytes) -> bool:
    """Whether `If-None-Match` contains `etag`, by weak comparison (RFC 9110, section 13.1.2)."""
    current = etag.decode().removeprefix("W/")
    candidates = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in ("*", current) for tag in candidates)
