"""The fetch of the SDKs: an ASGI endpoint of its own, without query, validation or encoding."""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from promptops_platform.access.actor import Actor
from promptops_platform.access.authentication import Authenticator, bearer_token
from promptops_platform.access.grants import require_environment, require_fetch
from promptops_platform.errors import BadRequest, NotFound, PlatformError
from promptops_platform.http.error_answers import answer, quoted
from promptops_platform.realtime.assignment import Answer
from promptops_platform.realtime.snapshot import Snapshot

LONGEST_CACHED_QUERY = 256
LONGEST_SUBJECT = 500
PATH = "/api/sdk/prompts/"
DEFAULT_ENVIRONMENT = "prod"
CACHE_CONTROL = (b"cache-control", b"private, no-cache")
JSON_TYPE = (b"content-type", b"application/json")
SWITCH = {"true": True, "1": True, "false": False, "0": False}


class Query(NamedTuple):
    """What a fetch asks for; an empty value means not given."""

    env: str
    workspace: str | None
    subject: str | None
    explain: bool


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
            found = self._find(scope, actor)
        except PlatformError as error:
            await answer(error)(scope, receive, send)
            return
        await _send(found, if_none_match, scope["method"], send)

    def _find(self, scope: Scope, actor: Actor) -> Answer:
        """Every role but `metrics` may fetch what exists for it (Permission.PROMPTS_FETCH)."""
        require_fetch(actor)
        key = scope["path"][len(PATH) :]
        env, workspace, subject, explain = _asked(scope["query_string"])
        require_environment(actor, env)
        entry = self._snapshot.lookup(actor, workspace, env, key)
        if entry is None:
            where = f"environment {quoted(env)}" + (
                f" of workspace {quoted(workspace)}" if workspace else ""
            )
            raise NotFound(f"prompt {quoted(key)} not found in {where}; create it there first")
        return entry.explained_for(subject) if explain else entry.answer_for(subject)


def _sent(scope: Scope) -> tuple[str | None, str | None]:
    """The headers `Authorization` and `If-None-Match`."""
    authorization = if_none_match = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value.decode("latin-1")
        elif name == b"if-none-match":
            if_none_match = value.decode("latin-1")
    return authorization, if_none_match


async def _send(found: Answer, if_none_match: str | None, method: str, send: Send) -> None:
    unchanged = if_none_match is not None and matches(if_none_match, found.etag)
    body = b"" if unchanged or method == "HEAD" else found.body
    headers = [(b"etag", found.etag), CACHE_CONTROL]
    if not unchanged:
        headers += (JSON_TYPE, (b"content-length", b"%d" % len(found.body)))
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


def _asked(query_string: bytes) -> Query:
    # There are many subjects: each in the cache would drive out what is worth to be there.
    if len(query_string) > LONGEST_CACHED_QUERY or b"subject" in query_string:
        return _parsed(query_string)
    return _parsed_and_cached(query_string)


def _parsed(query_string: bytes) -> Query:
    """Raises BadRequest for a subject that is too long, or an `explain` that is no yes or no."""
    given = parse_qs(query_string.decode(errors="replace"))
    first = {name: values[0] for name, values in given.items()}
    subject = first.get("subject")
    if subject is not None and len(subject) > LONGEST_SUBJECT:
        raise BadRequest(
            f"subject: has {len(subject)} characters, and may have {LONGEST_SUBJECT}; send an id"
        )
    explain = SWITCH.get(first.get("explain", "false").lower())
    if explain is None:
        raise BadRequest(f"explain: must be true or false (got {quoted(first['explain'])})")
    return Query(first.get("env", DEFAULT_ENVIRONMENT), first.get("workspace"), subject, explain)


_parsed_and_cached = lru_cache(maxsize=1024)(_parsed)
