"""Rendering a held prompt with the SDK, against Langfuse's cached `get_prompt(...).compile(...)`.

Both fetch once from a server in this process, and don't talk to it while they are measured.
"""

from __future__ import annotations

import importlib.util
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from bench.figures import Figure, Result, listed, median_ratio
from promptops import PromptOpsClient

ROUNDS = 7
SECONDS = 0.3
LONG_NAMES = [f"name_{number}" for number in range(10)]
LINE = (
    "A line of a prompt of the length that people write, with {{NAME}} in its middle, and so on. "
)
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "short": ("Hello {{who}}", {"who": "Ada"}),
    "2 KB, ten variables": (
        "".join(
            (LINE * 2 + "\n").replace("NAME", name, 1).replace("{{NAME}}", "this")
            for name in LONG_NAMES
        ),
        {name: f"the value of {name}" for name in LONG_NAMES},
    ),
}


def missing() -> str | None:
    """Why it can't be measured here, if it can't."""
    if importlib.util.find_spec("langfuse") is None:
        return "langfuse is not installed: make .venv/.bench"
    return None


async def measure() -> Result:
    """Renderings a second, in turn."""
    figures, raw = [], []
    with _server() as url, PromptOpsClient(url, token="bench") as client:
        langfuse = _langfuse(url)
        for name, (template, variables) in CASES.items():

            def mine(key: str = name, values: dict[str, str] = variables) -> str:
                return client.render(key, values)

            def theirs(key: str = name, values: dict[str, str] = variables) -> Any:
                return langfuse.get_prompt(key, cache_ttl_seconds=3600).compile(**values)

            assert mine() == theirs() != template
            rates = [(_rate(mine), _rate(theirs)) for _ in range(ROUNDS)]
            subject, baseline = [pair[0] for pair in rates], [pair[1] for pair in rates]
            figures.append(
                Figure(f"cached render, {name}", median_ratio(subject, baseline), "≥", 4)
            )
            raw.append(f"renderings a second, {name}: {listed(subject)}")
            raw.append(f"langfuse: {listed(baseline)}")
        langfuse.shutdown()
    return Result(figures, raw)


def _rate(call: Callable[[], object]) -> float:
    count, began = 0, time.perf_counter()
    until = began + SECONDS
    while time.perf_counter() < until:
        for _ in range(1000):
            call()
        count += 1000
    return count / (time.perf_counter() - began)


def _langfuse(url: str) -> Any:
    from langfuse import Langfuse

    return Langfuse(public_key="pk-lf-x", secret_key="sk-lf-x", base_url=url, tracing_enabled=False)


class _Handler(BaseHTTPRequestHandler):
    """Answers both SDKs' fetches."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        key = path.rpartition("/")[2].replace("%20", " ").replace("%2C", ",")
        text = CASES[key][0]
        if path.startswith("/api/sdk/"):
            answer = {"key": key, "version": "v1", "env": "prod", "model": "", "content": text}
        else:
            answer = {"name": key, "version": 1, "type": "text", "prompt": text}
            answer |= {"config": {}, "labels": ["production"], "tags": []}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def _server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
