"""The web console's files: one page for every path that no route has, and its assets."""

import re
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

BUILT = Path(__file__).parent / "dist"
PAGE = "index.html"
# Paths of the API and of other protocols never return the page, so that programs get JSON.
RESERVED = (
    "/.well-known",
    "/api",
    "/approve",
    "/docs",
    "/health",
    "/hooks",
    "/mcp",
    "/metrics",
    "/ofrep",
    "/openapi.json",
    "/ready",
    "/v1",
    "/ws",
)
HASHED = "/assets/"
# The reference to a file in the page.
ADDRESS = re.compile(r'\b(href|src)="/(?!/)')
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
# Encodings by their suffix of the file's name, best first.
ENCODINGS = {"br": ".br", "gzip": ".gz"}
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
PAGE_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
# The content of a file with a hashed name never changes.
FILE_HEADERS = {
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
}
UNHASHED_HEADERS = {**FILE_HEADERS, "cache-control": "public, max-age=3600"}


@dataclass(frozen=True)
class _File:
    path: Path
    media_type: str
    # By content coding, for those that the build has written.
    encoded: dict[str, Path]

    def response(self, accepted: str, headers: dict[str, str]) -> Response:
        """Return the file in the best coding that the client accepts."""
        coding = next((name for name in self.encoded if _accepts(accepted, name)), None)
        contents = self.encoded[coding] if coding else self.path
        more = {"content-encoding": coding} if coding else {}
        return Response(
            contents.read_bytes(),
            media_type=self.media_type,
            headers={**headers, **more, "vary": "accept-encoding"},
        )


class ConsolePages:
    """Serves the built console; without a build, every request is forwarded to `app`.

    `prefix` is the path at which a proxy serves everything, such as `/promptops`, or empty.
    """

    def __init__(self, app: ASGIApp, built: Path = BUILT, *, prefix: str = "") -> None:
        self.app = app
        self._built = built
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        response = self._response(scope)
        await (response or self.app)(scope, receive, send)

    def _response(self, scope: Scope) -> Response | None:
        path: str = scope["path"]
        if is_reserved(path) or PAGE not in self._files:
            return None
        try:
            return self._file_response(path, scope)
        except FileNotFoundError:
            # The console is being rebuilt.
            return None

    def _file_response(self, path: str, scope: Scope) -> Response | None:
        accepted = Headers(scope=scope).get("accept-encoding", "")
        if (file := self._files.get(path[1:])) is not None and path != f"/{PAGE}":
            headers = FILE_HEADERS if path.startswith(HASHED) else UNHASHED_HEADERS
            return file.response(accepted, headers)
        if path.startswith(HASHED):
            # Requested by a page of an earlier build: the current page would be executed as a
            # script.
            return None
        return self._page() if self._prefix else self._files[PAGE].response(accepted, PAGE_HEADERS)

    def _page(self) -> Response:
        """Return the page with the prefix in the addresses of its files. The files refer to each
        other by relative paths, and the console reads the prefix from its script's address."""
        text = self._files[PAGE].path.read_text()
        shown = ADDRESS.sub(rf'\1="{escape(self._prefix)}/', text)
        return Response(shown, media_type=MEDIA_TYPES[".html"], headers=PAGE_HEADERS)

    @cached_property
    def _files(self) -> dict[str, _File]:
        """Return the files by path, without the leading slash."""
        paths = [path for path in self._built.rglob("*") if path.suffix in MEDIA_TYPES]
        return {path.relative_to(self._built).as_posix(): _file(path) for path in paths}


def _file(path: Path) -> _File:
    encoded = {coding: path.with_name(path.name + suffix) for coding, suffix in ENCODINGS.items()}
    return _File(
        path,
        MEDIA_TYPES[path.suffix],
        {coding: other for coding, other in encoded.items() if other.is_file()},
    )


def is_reserved(path: str) -> bool:
    """Whether the path belongs to programs, not to people."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in RESERVED)


def _accepts(accepted: str, coding: str) -> bool:
    """Whether an `Accept-Encoding` contains the coding and does not refuse it by `q=0`."""
    for part in accepted.split(","):
        name, _, parameter = part.partition(";")
        if name.strip().lower() == coding:
            return parameter.replace(" ", "").lower() not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
