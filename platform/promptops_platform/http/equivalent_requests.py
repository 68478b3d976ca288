"""Requests that mean another one: HEAD is GET without the body, and a slash at the end of a path
makes no difference."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NO_BODY = b""


class EquivalentRequests:
    """Hands the routes the request that they know."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_head = scope.get("method") == "HEAD"
        if not is_head and scope.get("path", "")[-1:] != "/":
            await self.app(scope, receive, send)
            return
        # A copy: the server itself has to know that it was a HEAD.
        meant = {**scope, **_without_slash(scope)}
        if is_head:
            meant["method"] = "GET"
            send = _without_body(send)
        try:
            await self.app(meant, receive, send)
        finally:
            # By its route a request is counted.
            if "route" in meant:
                scope["route"] = meant["route"]


def _without_slash(scope: Scope) -> dict[str, str | bytes]:
    path, raw = scope["path"], scope.get("raw_path") or b""
    # A slash that is percent-encoded belongs to a name.
    if len(path) == 1 or not raw.endswith(b"/") or path.endswith("//"):
        return {}
    return {"path": path[:-1], "raw_path": raw[:-1]}


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": NO_BODY}
        await send(message)

    return send_head
