"""The platform as an SDK sees it, driven by a scenario of `sdk/conformance/scenarios`.

It has its own small feed, so that scenarios need not describe what a healthy platform does, and
misbehaves if a step asks for it.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from harness.sdk_server import (
    CLOSE,
    DEADLINE,
    PING,
    PONG,
    TEXT,
    Answer,
    SdkServer,
    Watcher,
    conditional,
    frame,
    key_in,
)

SNAPSHOT = "snapshot"
NO_SUCH_PROMPT = '{"error":"no such prompt","code":"not_found"}'


class ScenarioServer(SdkServer):
    """Prompts with a change feed; records every request, watcher and client message."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.epoch = "epoch-1"
        self.revision = 1
        self.events: list[dict[str, Any]] = []
        self.scripts: dict[str, deque[dict[str, Any]]] = {}
        self.always: dict[str, dict[str, Any]] = {}
        self.released = threading.Event()
        # Responses that wait.
        self.hanging = 0
        self.pongs = 0
        # The greeting of connections: `status`, `hello` (false: none), `resync` (true: always).
        self.watching: dict[str, Any] = {}
        self.messages: list[dict[str, Any]] = []
        self.news = threading.Condition()
        self._fetched: list[tuple[str, dict[str, Any]]] = []
        super().__init__(tls)
        self.token = "t"

    def start(self) -> None:
        super().start()
        self.runs = True

    def stop(self) -> None:
        """Also after the server has stopped."""
        if self.runs:
            self.runs = False
            super().stop()

    def publish(self, prompt: dict[str, Any] | None, event: dict[str, Any], *, tell: bool) -> None:
        """Serve this from now on under the event's key (None: delete it), as a new revision."""
        self.revision += 1
        if prompt is None:
            self.prompts.pop(event["key"], None)
        else:
            self.prompts[event["key"]] = prompt
        numbered = {"id": f"id-{event['key']}", "env": "prod", **event, "revision": self.revision}
        self.events.append(numbered)
        if tell:
            self.send_text(json.dumps(numbered))

    def send_text(self, text: str) -> None:
        """Send to the newest watcher, if it is still connected."""
        if self.watchers:
            with contextlib.suppress(OSError):
                self.watchers[-1].send(frame(TEXT, text.encode("utf-8", "surrogatepass")))

    def ping(self) -> None:
        """Return once the newest watcher has read everything that was sent to it."""
        target = self.pongs + 1
        self.watchers[-1].send(frame(PING, b"read?"))
        assert self.wait_for(lambda: self.pongs >= target, DEADLINE), "no pong came"

    def hang_up(self, code: int | None) -> None:
        """End the newest watcher's connection, with a close frame if it has a code."""
        watcher = self.watchers[-1]
        if code is None:
            watcher.drop()
        else:
            watcher.send(frame(CLOSE, struct.pack("!H", code)))

    def wait_for(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether the condition became true in time; it is checked after each request and
        message."""
        with self.news:
            return self.news.wait_for(condition, seconds)

    def fetches(self, key: str) -> int:
        """How often the prompt was fetched."""
        return len(self.fetched(key))

    def fetched(self, key: str) -> list[dict[str, Any]]:
        """Each fetch of the prompt: `query` and `headers`."""
        return [fetch for of, fetch in list(self._fetched) if of == key]

    def answer(self, path: str, headers: dict[str, str]) -> Answer:
        key = key_in(path)
        script = self._next_script(key) or {}
        # Decided before it is recorded and before any wait, like a slow server that has already
        # read its data.
        if script.keys() & {"status", "hang_up"}:
            answer = self._scripted(script)
        else:
            answer = self._right(path, headers)
        with self.news:
            self._fetched.append((key, {"query": query_of(path), "headers": headers}))
            self.news.notify_all()
        if script.get("hang"):
            with self.news:
                self.hanging += 1
                self.news.notify_all()
            self.released.wait(DEADLINE)
        if "delay" in script:
            threading.Event().wait(script["delay"])
        return answer

    def _right(self, path: str, headers: dict[str, str]) -> Answer:
        if headers.get("authorization") != f"Bearer {self.token}":
            return Answer(401, b'{"error":"unauthorized"}')
        key, query = key_in(path), query_of(path)
        asked = int(query.get("min_revision") or 0)
        if query.get("epoch", self.epoch) == self.epoch and asked > self.revision:
            return Answer(503, b'{"error":"not there yet"}', {"Retry-After": "1"})
        if key != SNAPSHOT:
            return self._prompt(key, headers)
        prompts = [self.prompts[key] for key in sorted(self.prompts)]
        whole = {"epoch": self.epoch, "revision": self.revision, "env": "prod", "prompts": prompts}
        return self._response(whole, headers)

    def follow(self, watcher: Watcher) -> None:
        with contextlib.suppress(OSError, EOFError):
            self.messages = []
            self._greet(watcher)
            while self._heard(watcher, *watcher.receive()):
                pass
        watcher.ended.set()

    def _next_script(self, key: str) -> dict[str, Any] | None:
        waiting = self.scripts.get(key)
        return waiting.popleft() if waiting else self.always.get(key)

    def _scripted(self, script: dict[str, Any]) -> Answer:
        if script.get("hang_up"):
            return Answer(0, hang_up=True)
        stamp = _stamp(script.get("epoch", self.epoch), script.get("revision", self.revision))
        answered = dict(script.get("headers") or {})
        if "prompt" in script:
            body, answered = json.dumps(script["prompt"]), answered | stamp
        elif script["status"] == 404 and "body" not in script:
            body, answered = NO_SUCH_PROMPT, stamp | answered
        else:
            body = script.get("body", '{"error":"as the scenario says"}')
        return Answer(script["status"], (body * script.get("repeat", 1)).encode(), answered)

    def _prompt(self, key: str, headers: dict[str, str]) -> Answer:
        if key not in self.prompts:
            stamp = _stamp(self.epoch, self.revision)
            return Answer(404, NO_SUCH_PROMPT.encode(), stamp)
        return self._response(self.prompts[key], headers)

    def _response(self, body: dict[str, Any], headers: dict[str, str]) -> Answer:
        stamp = _stamp(self.epoch, self.revision)
        return conditional(headers, json.dumps(body).encode(), **stamp)

    def _greet(self, watcher: Watcher) -> None:
        if self.watching.get("hello") is False:
            return
        here = {"epoch": self.epoch, "revision": self.revision}
        beat = self.watching.get("heartbeat_seconds", 10)
        watcher.tell({"type": "hello", **here, "heartbeat_seconds": beat})
        if self.watching.get("resync") or watcher.query.get("epoch") != self.epoch:
            watcher.tell({"type": "resync", **here})
            return
        for change in self.events:
            if change["revision"] > int(watcher.query["since"]):
                watcher.tell(change)

    def _heard(self, watcher: Watcher, opcode: int, payload: bytes) -> bool:
        if opcode == PING:
            watcher.send(frame(PONG, payload))
        elif opcode == PONG:
            with self.news:
                self.pongs += 1
                self.news.notify_all()
        elif opcode == CLOSE:
            watcher.send(frame(CLOSE, payload[:2]))
            return False
        elif opcode == TEXT:
            with self.news:
                self.messages.append(json.loads(payload))
                self.news.notify_all()
        return True


def query_of(path: str) -> dict[str, str]:
    """The parameters of a request."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(path).query).items()}


def _stamp(epoch: str, revision: int) -> dict[str, str]:
    return {"x-promptops-revision": str(revision), "x-promptops-epoch": epoch}
