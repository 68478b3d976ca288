"""A fake of Langfuse's public API for prompts, on a real socket."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PUBLIC_KEY, SECRET_KEY = "pk-lf-test", "sk-lf-test"
_LOGIN = "Basic " + base64.b64encode(f"{PUBLIC_KEY}:{SECRET_KEY}".encode()).decode()
_PREFIX = "/api/public/v2/prompts"
_LONGEST_PAGE = 2
_CHANGED = "2026-01-02T03:04:05.000Z"


class FakeLangfuse:
    """`prompts` has the versions of each prompt, oldest first."""

    def __init__(self) -> None:
        self.prompts: dict[str, list[dict[str, Any]]] = {}
        self.url = ""

    def add(self, name: str, prompt: Any, *labels: str, **more: Any) -> None:
        """Add a version with labels, which are removed from other versions, like `latest`."""
        versions = self.prompts.setdefault(name, [])
        for version in versions:
            version["labels"] = [
                label for label in version["labels"] if label not in (*labels, "latest")
            ]
        versions.append(
            {
                "name": name,
                "version": len(versions) + 1,
                "type": "text" if isinstance(prompt, str) else "chat",
                "prompt": prompt,
                "config": {},
                "labels": [*labels, "latest"],
                "tags": [],
                **more,
            }
        )

    def page(self, number: int, limit: int) -> dict[str, Any]:
        """One page of the list."""
        limit = min(limit, _LONGEST_PAGE)
        names = sorted(self.prompts)
        rows = [_meta(self.prompts[name]) for name in names[(number - 1) * limit : number * limit]]
        pages = -(-len(names) // limit)
        meta = {"page": number, "limit": limit, "totalItems": len(names), "totalPages": pages}
        return {"data": rows, "meta": meta}


def _meta(versions: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": versions[0]["name"],
        "type": versions[0]["type"],
        "versions": [version["version"] for version in versions],
        "labels": [label for version in versions for label in version["labels"]],
        "tags": versions[-1]["tags"],
        "lastUpdatedAt": _CHANGED,
        "lastConfig": versions[-1]["config"],
    }


@contextmanager
def fake_langfuse() -> Iterator[FakeLangfuse]:
    fake = FakeLangfuse()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = _answer(fake, self.path, self.headers["authorization"])
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()


def _answer(fake: FakeLangfuse, path: str, login: str | None) -> tuple[int, dict[str, Any]]:
    parts = urlsplit(path)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if login != _LOGIN:
        return 401, {"message": "Invalid credentials"}
    if parts.path == _PREFIX:
        return 200, fake.page(int(query["page"]), int(query["limit"]))
    name = unquote(parts.path.removeprefix(f"{_PREFIX}/"))
    for version in fake.prompts.get(name, ()):
        if str(version["version"]) == query["version"]:
            return 200, version
    return 404, {"message": "Prompt not found"}
