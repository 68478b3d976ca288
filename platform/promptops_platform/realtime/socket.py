"""The WebSocket `/ws`, with the courtesies that existing clients need."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from promptops_platform.access.authentication import Authenticator, bearer_token
from promptops_platform.access.grants import require_environment, require_fetch
from promptops_platform.clock import Clock
from promptops_platform.errors import PlatformError
from promptops_platform.ids import new_id
from promptops_platform.realtime.hub import Hub
from promptops_platform.realtime.watch import Client, Watch, message

log = structlog.get_logger(__name__)

# One of the existing clients loses what arrives together with the handshake's answer.
QUIET_AFTER_HANDSHAKE_SECONDS = 0.1
LONGEST_NAME = 200
# Of the codes that applications may choose, as 401 is among the statuses.
SESSION_ENDED = 4401


class WatchEndpoint:
    """Accepts watchers and feeds them from the hub until they leave."""

    def __init__(
        self,
        hub: Hub,
        authenticator: Authenticator,
        clock: Clock,
        when_sent: Callable[[], None],
    ) -> None:
        self._when_sent = when_sent
        self._hub = hub
        self._authenticator = authenticator
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        query = websocket.query_params
        token = bearer_token(websocket.headers.get("authorization")) or query.get("token")
        try:
            actor = await self._authenticator.authenticate(token)
            require_fetch(actor)
            client = self._client(websocket)
            if client.namespace:
                require_environment(actor, client.namespace)
        except PlatformError as error:
            await websocket.send_denial_response(
                JSONResponse(error.body(), status_code=error.status)
            )
            return
        watch = Watch(client, actor, query.get("workspace") or None)
        # Watching starts before the handshake is answered: nothing falls between the two.
        self._hub.add(watch)
        try:
            await self._serve(websocket, watch)
        finally:
            self._hub.remove(watch)

    def _client(self, websocket: WebSocket) -> Client:
        query = websocket.query_params
        return Client(
            id=new_id(),
            client_type=query.get("client", "")[:LONGEST_NAME],
            app=query.get("app", "")[:LONGEST_NAME],
            namespace=(query.get("namespace") or query.get("env") or "")[:LONGEST_NAME],
            remote_addr=websocket.client.host if websocket.client else "",
            user_agent=websocket.headers.get("user-agent", "")[:LONGEST_NAME],
            connected_at=self._clock.now(),
        )

    async def _serve(self, websocket: WebSocket, watch: Watch) -> None:
        await websocket.accept()
        log.info("watch_opened", client=watch.client.id, app=watch.client.app)
        tasks = [
            asyncio.create_task(self._send_events(websocket, watch)),
            asyncio.create_task(_read_until_gone(websocket)),
            asyncio.create_task(watch.ended.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if watch.ended.is_set():
                await websocket.close(
                    SESSION_ENDED, "the session or API key has ended; log in again"
                )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        log.info("watch_closed", client=watch.client.id, app=watch.client.app)

    async def _send_events(self, websocket: WebSocket, watch: Watch) -> None:
        await self._clock.sleep(QUIET_AFTER_HANDSHAKE_SECONDS)
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                change = await watch.next_change()
                # It may have waited here, and an old client ends its watch when it can't fetch.
                if self._hub.concerns(watch, change):
                    await websocket.send_text(message(change))
                    self._when_sent()


async def _read_until_gone(websocket: WebSocket) -> None:
    """Read and ignore whatever comes: reading is what notices that the client has left."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
