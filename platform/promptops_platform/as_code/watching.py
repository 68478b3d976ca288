"""Synchronizes a folder and a server continuously while people work on both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from promptops_platform.as_code.remote import ServerError
from promptops_platform.as_code.sync import Say, Sync, SyncOptions
from promptops_platform.as_code.sync_state import MEMORY_FILE, FolderError

# How often the folder is checked.
FOLDER_SECONDS = 0.3
# The server sends events for prompts; agents, workflows and what an interruption has hidden are
# checked at this interval.
SERVER_SECONDS = 10.0
RECONNECT_SECONDS = 2.0
CLOSE_SECONDS = 2.0


class Watch:
    """`sync` opens folder and server again each time; `address` is that of the server's events."""

    def __init__(
        self, root: Path, sync: Callable[[Say], Sync], address: str, token: str, say: Say
    ) -> None:
        self._root = root
        self._sync = sync
        self._address = address
        self._token = token
        self._say = say
        self._server_changed = threading.Event()
        self._stop = threading.Event()
        self._connection: Connection | None = None
        # A conflict or a mistake is reported when it appears, not each time.
        self._last: set[str] = set()

    def run(self, options: SyncOptions) -> None:
        """Synchronize whenever one side has changed, until `stop`."""
        with self._events():
            before: object = None
            waited = SERVER_SECONDS
            while not self._stop.is_set():
                now = self._folder_state()
                if now != before or self._server_changed.is_set() or waited >= SERVER_SECONDS:
                    self._server_changed.clear()
                    self._step(options)
                    before, waited = self._folder_state(), 0.0
                self._stop.wait(FOLDER_SECONDS)
                waited += FOLDER_SECONDS

    def stop(self) -> None:
        """End `run` soon."""
        self._stop.set()

    def _step(self, options: SyncOptions) -> None:
        lines: list[str] = []
        try:
            self._sync(lines.append).pull(options)
            self._sync(lines.append).push(options)
        except (FolderError, ServerError, OSError) as error:
            lines.append(str(error))
        for line in dict.fromkeys(lines):
            if line not in self._last:
                self._say(line)
        self._last = set(lines)

    def _folder_state(self) -> list[tuple[str, int, int]]:
        states = []
        for path in sorted(self._root.rglob("*")):
            if path.name != MEMORY_FILE:
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue  # removed meanwhile
                states.append((str(path), status.st_mtime_ns, status.st_size))
        return states

    @contextmanager
    def _events(self) -> Iterator[None]:
        listener = threading.Thread(target=self._listen, daemon=True, name="events")
        listener.start()
        try:
            yield
        finally:
            self._stop.set()
            if self._connection is not None:
                self._connection.close()
            listener.join(CLOSE_SECONDS)

    def _listen(self) -> None:
        headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
        while not self._stop.is_set():
            try:
                with connect(
                    self._address, additional_headers=headers, close_timeout=CLOSE_SECONDS
                ) as connection:
                    self._connection = connection
                    self._server_changed.set()
                    for _ in connection:
                        self._server_changed.set()
            except (OSError, WebSocketException, TimeoutError):
                pass  # the next check of the server reports what is wrong
            self._stop.wait(RECONNECT_SECONDS)
