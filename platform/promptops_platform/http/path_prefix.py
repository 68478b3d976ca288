"""Supports a proxy that serves the platform below a path, such as `/promptops`, and removes it from
requests."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class PathPrefix:
    """Adds `prefix` to the paths that browsers and programs read from headers: the location of a
    redirect or an accepted run, and the path of the session's cookie."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self._prefix = prefix.encode("latin-1")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_below(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(name, self._below(name, value)) for name, value in message["headers"]]
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, send_below if scope["type"] == "http" else send)

    def _below(self, name: bytes, value: bytes) -> bytes:
        if name == b"location" and value.startswith(b"/"):
            return self._prefix + value
        if name == b"set-cookie":
            return value.replace(b"; Path=/;", b"; Path=" + self._prefix + b"/;")
        return value
