"""The driver of the conformance scenarios: reads one JSON command a line, writes one JSON reply a
line.

 `--async` drives the asynchronous client. `docs/sdk-protocol.md` has the commands.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import promptops
from promptops import AsyncPromptOpsClient, PromptOpsClient, render_template
from promptops.bucketing import bucket_of

KINDS: list[tuple[type[Exception], str]] = [
    (promptops.NotFoundError, "not_found"),
    (promptops.UnauthorizedError, "unauthorized"),
    (promptops.ForbiddenError, "forbidden"),
    (promptops.RequestTimeoutError, "timeout"),
    (promptops.ServerUnreachableError, "unreachable"),
    (promptops.ProtocolError, "protocol"),
    (promptops.ResponseError, "server"),
    (promptops.MissingVariableError, "missing_variable"),
    (promptops.ClientClosedError, "closed"),
    (ValueError, "invalid"),
    (TypeError, "invalid"),
]
Reply = dict[str, Any]


class Blocking:
    """The asynchronous client with synchronous methods, its loop in a thread."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._client = AsyncPromptOpsClient(*arguments, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.on_connect = self._client.on_connect
        self.on_disconnect = self._client.on_disconnect
        self.on_error = self._client.on_error
        self.on_delete = self._client.on_delete

    def get_prompt(self, key: str, **options: Any) -> Any:
        return self._run(self._client.get_prompt(key, **options))

    def render(self, key: str, variables: Any, **options: Any) -> Any:
        return self._run(self._client.render(key, variables, **options))

    def render_messages(self, key: str, variables: Any, **options: Any) -> Any:
        return self._run(self._client.render_messages(key, variables, **options))

    def preload(self) -> Any:
        return self._run(self._client.preload())

    def watch(self, on_update: Any) -> None:
        self._run(self._client.watch(on_update))

    def close(self) -> None:
        self._run(self._client.close())

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


class Driver:
    """One client at a time, and its events."""

    def __init__(self, make_client: Callable[..., Any]) -> None:
        self._make_client = make_client
        self._client: Any = None
        self._events: queue.Queue[Reply] = queue.Queue()

    def run(self, command: dict[str, Any]) -> Reply:
        operation: Callable[[dict[str, Any]], Any] = getattr(self, f"_{command['op']}")
        try:
            if "callers" not in command:
                return {"ok": operation(command)}
        except tuple(kind for kind, _ in KINDS) as error:
            return failure(error)
        one = {name: value for name, value in command.items() if name != "callers"}
        with ThreadPoolExecutor(command["callers"]) as callers:
            return {"ok": list(callers.map(self.run, [one] * command["callers"]))}

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            if isinstance(self._client, Blocking):
                self._client.end()
            self._client = None

    @property
    def client(self) -> Any:
        assert self._client is not None, "no client yet"
        return self._client

    def _new(self, command: dict[str, Any]) -> bool:
        self.close()
        events = self._events = queue.Queue()
        options = dict(command["options"])
        if "disk" in options:
            options["cache_dir"] = options.pop("disk")
        self._client = client = self._make_client(
            command["server"],
            namespace=command["namespace"],
            token=command["token"],
            app_name=command["app"],
            **options,
        )
        client.on_connect(lambda: events.put({"event": "connect"}))
        client.on_disconnect(lambda: events.put({"event": "disconnect"}))
        client.on_delete(lambda deletion: events.put({"event": "delete", "key": deletion["key"]}))
        client.on_error(
            lambda error: events.put({"event": "error", "status": getattr(error, "status", None)})
        )
        return True

    def _get(self, command: dict[str, Any]) -> Reply:
        options = {k: command[k] for k in ("refresh", "subject", "default") if k in command}
        return dict(self.client.get_prompt(command["key"], **options))

    def _render(self, command: dict[str, Any]) -> str:
        options = {k: command[k] for k in ("subject", "strict", "default") if k in command}
        return self.client.render(command["key"], command.get("variables"), **options)

    def _render_messages(self, command: dict[str, Any]) -> list[Any]:
        options = {k: command[k] for k in ("subject", "strict", "default") if k in command}
        return self.client.render_messages(command["key"], command.get("variables"), **options)

    def _preload(self, _command: dict[str, Any]) -> list[str]:
        return sorted(self.client.preload())

    def _watch(self, _command: dict[str, Any]) -> bool:
        events = self._events
        self.client.watch(
            lambda update: events.put(
                {
                    "event": "update",
                    "key": update["key"],
                    "version": update["prompt"]["version"],
                }
            )
        )
        return True

    def _close(self, _command: dict[str, Any]) -> bool:
        if self._client is not None:
            self._client.close()
        return True

    def _take_events(self, command: dict[str, Any]) -> list[Reply]:
        until = time.monotonic() + command["seconds"]
        events: list[Reply] = []
        try:
            while len(events) < command["count"]:
                events.append(self._events.get(timeout=max(until - time.monotonic(), 0.001)))
        except queue.Empty:
            pass
        return events

    @staticmethod
    def _template(command: dict[str, Any]) -> str:
        return render_template(command["template"], command.get("variables"))

    @staticmethod
    def _bucket(command: dict[str, Any]) -> int:
        return bucket_of(command["salt"], command["subject"])


def failure(error: Exception) -> Reply:
    kind = next(name for of, name in KINDS if isinstance(error, of))
    return {"error": kind, "message": str(error)}


def main() -> None:
    driver = Driver(Blocking if "--async" in sys.argv else PromptOpsClient)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(driver.run(json.loads(line))) + "\n")
        sys.stdout.flush()
    driver.close()


if __name__ == "__main__":
    main()
