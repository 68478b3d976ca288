"""The WebSocket `/ws`, with the courtesies that existing clients need."""

import asyncio
import json
from sys import intern
from typing import Any

import structlog
from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from promptops_platform.access.authentication import Authenticator, bearer_token
from promptops_platform.access.gate import client_address
from promptops_platform.access.grants import require_environment, require_fetch
from promptops_platform.clock import Clock
from promptops_platform.errors import DatabaseUnavailable, PlatformError
from promptops_platform.http.connection import EXTENSION
from promptops_platform.ids import new_id
from promptops_platform.realtime.connection import WatchConnection
from promptops_platform.realtime.hub import Hub
from promptops_platform.realtime.missed import Resumption
from promptops_platform.realtime.query import revision_of
from promptops_platform.realtime.reports import Reports
from promptops_platform.realtime.view import View
from promptops_platform.realtime.watch import Client, Follower, Watch
from promptops_platform.text import UNPRINTABLE, composed

log = structlog.get_logger(__name__)

# One of the existing clients loses what arrives together with the handshake's answer.
QUIET_AFTER_HANDSHAKE_SECONDS = 0.1
LONGEST_NAME = 200
TRY_AGAIN = 1012


class WatchEndpoint:
    """Accepts watchers, and hears them until they leave; the hub writes to them."""

    def __init__(
        self,
        hub: Hub,
        *,
        resumption: Resumption,
        reports: Reports,
        authenticator: Authenticator,
        clock: Clock,
    ) -> None:
        self._hub = hub
        self._resumption = resumption
        self._reports = reports
        self._authenticator = authenticator
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        query = websocket.query_params
        token = bearer_token(websocket.headers.get("authorization")) or query.get("token")
        try:
            actor = await self._authenticator.authenticate(token, client_address(scope))
            require_fetch(actor)
            connection: WatchConnection = scope["extensions"][EXTENSION]
            connection.admit()
            client = self._client(websocket)
            if client.namespace:
                require_environment(actor, client.namespace)
            since = _since(query)
        except PlatformError as error:
            await websocket.send_denial_response(
                JSONResponse(error.body(), status_code=error.status)
            )
            return
        view = View(actor, composed(_name(query.get("workspace"))) or None, client.namespace)
        watch: Watch | Follower
        if since is None:
            watch = Watch(client, view, connection)
            # Watching starts before the handshake is answered: nothing falls between the two.
            self._hub.add(watch)
            talk = self._watch(websocket, watch)
        else:
            watch = Follower(client, view, connection, since)
            talk = self._follow(websocket, watch, query.get("epoch"))
        log.info("watch_opened", client=client.id, app=client.app)
        try:
            await talk
        finally:
            self._hub.remove(watch)
            log.info("watch_closed", client=client.id, app=client.app)

    def _client(self, websocket: WebSocket) -> Client:
        query = websocket.query_params
        return Client(
            id=new_id(),
            client_type=_name(query.get("client")),
            app=_name(query.get("app")),
            namespace=composed(_name(query.get("namespace") or query.get("env"))),
            remote_addr=websocket.client.host if websocket.client else "",
            user_agent=_name(websocket.headers.get("user-agent")),
            connected_at=self._clock.now(),
            version=_name(query.get("version")),
        )

    async def _watch(self, websocket: WebSocket, watch: Watch) -> None:
        await websocket.accept()
        opening = asyncio.create_task(self._open(watch))
        try:
            # Whatever comes is passed over: reading is what notices that the client has left.
            while await _next(websocket) is not None:
                pass
        finally:
            opening.cancel()

    async def _open(self, watch: Watch) -> None:
        await self._clock.sleep(QUIET_AFTER_HANDSHAKE_SECONDS)
        watch.open()
        watch.connection.when_writable = lambda: self._hub.flush(watch)
        self._hub.flush(watch)

    async def _follow(self, websocket: WebSocket, follower: Follower, epoch: str | None) -> None:
        await websocket.accept()
        # Without a pause between the two: nothing comes before the hello.
        self._hub.add(follower)
        telling = None
        if self._resumption.greet(follower, epoch):
            telling = asyncio.create_task(self._tell(follower))
        try:
            while (text := await _next(websocket)) is not None:
                self._reports.hear(follower, _decoded(text), self._hub.revision)
                self._hub.note_change(follower)
        finally:
            if telling is not None:
                telling.cancel()

    async def _tell(self, follower: Follower) -> None:
        try:
            await self._resumption.tell(follower)
        except DatabaseUnavailable:
            follower.connection.end(TRY_AGAIN, "the feed can't be read now; connect again")
        except Exception:
            # Else it would be alive and never hear of anything.
            log.exception("missed_changes_not_told", client=follower.client.id)
            follower.connection.end(TRY_AGAIN, "what was missed can't be told; connect again")


def _since(query: QueryParams) -> int | None:
    given = query.get("since")
    return None if given is None else revision_of(given, "since")


def _name(given: str | None) -> str:
    """Many clients bring the same few; without what no database takes."""
    return intern(UNPRINTABLE.sub("", (given or "")[:LONGEST_NAME]))


async def _next(websocket: WebSocket) -> str | None:
    """What the client says next, empty for bytes; None once it has left."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        return None
    return message.get("text") or ""


def _decoded(text: str) -> dict[str, Any]:
    """The message in a text; an empty one for what is none."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
