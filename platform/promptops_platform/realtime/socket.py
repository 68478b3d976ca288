"""The WebSocket `/ws`, with what existing clients need beyond the standard."""

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
from promptops_platform.access.session_cookie import BY_COOKIE
from promptops_platform.clock import Clock
from promptops_platform.errors import DatabaseUnavailable, PlatformError
from promptops_platform.field_types import UNPRINTABLE, composed
from promptops_platform.http.connection import EXTENSION
from promptops_platform.ids import new_id
from promptops_platform.realtime.connection import WatchConnection
from promptops_platform.realtime.hub import Hub
from promptops_platform.realtime.reports import Reports
from promptops_platform.realtime.resumption import Resumption
from promptops_platform.realtime.subscription import Subscription
from promptops_platform.realtime.watchers import CONSOLE, Client, LegacyWatcher, ResumingWatcher
from promptops_platform.serving.query import revision_of

log = structlog.get_logger(__name__)

# One existing client loses messages that arrive together with the response to its handshake.
QUIET_AFTER_HANDSHAKE_SECONDS = 0.1
LONGEST_NAME = 200
TRY_AGAIN = 1012


class WatchEndpoint:
    """Accepts watchers and reads their messages until they leave; the hub writes to them."""

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
        # Other clients that call themselves a console understand only the events of existing
        # clients.
        is_console = client.client_type == CONSOLE and BY_COOKIE in scope
        workspace = composed(_name(query.get("workspace"))) or None
        subscription = Subscription(actor, workspace, client.namespace, is_console)
        watcher: LegacyWatcher | ResumingWatcher
        if since is None:
            watcher = LegacyWatcher(client, subscription, connection)
            # Watching starts before the response to the handshake, so that no event falls between
            # the two.
            self._hub.add(watcher)
            talk = self._watch(websocket, watcher)
        else:
            watcher = ResumingWatcher(client, subscription, connection, since)
            talk = self._follow(websocket, watcher, query.get("epoch"))
        log.info("watch_opened", client=client.id, app=client.app)
        try:
            await talk
        finally:
            self._hub.remove(watcher)
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

    async def _watch(self, websocket: WebSocket, watcher: LegacyWatcher) -> None:
        await websocket.accept()
        opening = asyncio.create_task(self._open(watcher))
        try:
            # Messages are ignored; reading them only serves to notice that the client has left.
            while await _next(websocket) is not None:
                pass
        finally:
            opening.cancel()

    async def _open(self, watcher: LegacyWatcher) -> None:
        await self._clock.sleep(QUIET_AFTER_HANDSHAKE_SECONDS)
        watcher.open()
        watcher.connection.when_writable = lambda: self._hub.flush(watcher)
        self._hub.flush(watcher)

    async def _follow(
        self, websocket: WebSocket, watcher: ResumingWatcher, epoch: str | None
    ) -> None:
        await websocket.accept()
        # Without a pause between the two, so that no event comes before the hello.
        self._hub.add(watcher)
        catching_up = None
        if self._resumption.send_hello(watcher, epoch):
            catching_up = asyncio.create_task(self._catch_up(watcher))
        try:
            while (text := await _next(websocket)) is not None:
                self._reports.record(watcher, _decoded(text), self._hub.revision)
                self._hub.note_change(watcher)
        finally:
            if catching_up is not None:
                catching_up.cancel()

    async def _catch_up(self, watcher: ResumingWatcher) -> None:
        try:
            await self._resumption.catch_up(watcher)
        except DatabaseUnavailable:
            watcher.connection.end(TRY_AGAIN, "the feed can't be read now; connect again")
        except Exception:
            # Otherwise it would stay connected and never receive an event.
            log.exception("missed_changes_not_told", client=watcher.client.id)
            watcher.connection.end(TRY_AGAIN, "the missed changes can't be sent; connect again")


def _since(query: QueryParams) -> int | None:
    text = query.get("since")
    return None if text is None else revision_of(text, "since")


def _name(name: str | None) -> str:
    """Return the name without characters that no database accepts; interned, because many clients
    send the same few names."""
    return intern(UNPRINTABLE.sub("", (name or "")[:LONGEST_NAME]))


async def _next(websocket: WebSocket) -> str | None:
    """Return the client's next message as text, empty for a binary one; None once the client has
    left."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        return None
    return message.get("text") or ""


def _decoded(text: str) -> dict[str, Any]:
    """Return the message in the text; an empty one if the text is not a JSON object."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
