"""The only path of WebSockets; wrong requests get a message that says how to connect."""

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from promptops_platform.errors import NotFound, PlatformError, UpgradeRequired
from promptops_platform.http.error_answers import answer, quoted

PATH = "/ws"


class WatchPath:
    """Responds to plain requests for `/ws` with 426, and to WebSockets on any other path with
    404."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = _problem(scope)
        if error is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(answer(error))
        else:
            await answer(error)(scope, receive, send)


def _problem(scope: Scope) -> PlatformError | None:
    if scope["type"] == "websocket":
        if _is_watch(scope):
            return None
        return NotFound(f"there is no WebSocket {quoted(scope['path'])}; connect to {PATH}")
    if scope["type"] == "http" and _is_watch(scope) and scope["method"] != "OPTIONS":
        return UpgradeRequired(
            f"{PATH} is a WebSocket, and this request has no `Upgrade: websocket`; if your client "
            "sent it, a proxy in between removed it: let the proxy pass `Upgrade` and `Connection`"
        )
    return None


def _is_watch(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.startswith(PATH) and path.rstrip("/") == PATH
