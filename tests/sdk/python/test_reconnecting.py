"""How long the watch waits: for a silent server, and before it tries again."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import Any

import pytest

from harness.sdk_server import CLOSE, DEADLINE, PONG, SdkServer
from promptops.backoff import Backoff
from promptops.fetch_thread import Fetcher
from promptops.http import HttpClient
from promptops.listeners import PendingNotifications
from promptops.options import ClientState, Options
from promptops.sync_state import SyncState
from promptops.transport import Connector, Wakeup
from promptops.watch import Watch
from promptops.websocket import WebSocket


class _Bench:
    """A watch with its own patience, which the client doesn't let the program choose."""

    def __init__(self, server: SdkServer, silence: float = 15.0, **patience: Any) -> None:
        options = Options(server.url, "prod", server.token, "", "", DEADLINE, 60.0, None, None)
        state = ClientState(options, notify=len)
        self.connector = Connector(state.address)
        self.token = server.token
        http = HttpClient(self.connector, server.token)
        pending = PendingNotifications()
        fetcher = Fetcher(self.connector, http, state.policy, DEADLINE, pending)
        sync_state = state.new_sync_state()
        sync_state.silence = silence
        self.store, self.listeners = state.store, state.listeners
        self.watch = Watch(
            self.connector, self._connect, sync_state, fetcher, state.listeners, pending, **patience
        )

    def _connect(self, _sync_state: SyncState) -> WebSocket:
        return self._open(WebSocket)

    def _open(self, kind: type[WebSocket]) -> WebSocket:
        headers = {"Authorization": f"Bearer {self.token}"}
        return kind.open(self.connector, "/ws", headers, DEADLINE)

    def close(self) -> None:
        self.connector.close()
        self.watch.join(DEADLINE)


def test_a_silent_connection_is_dead(server: SdkServer, caplog: pytest.LogCaptureFixture) -> None:
    bench = _Bench(server, silence=0.2, reconnect_backoff=Backoff(0.01, 0.01))
    first = server.watcher()
    second = server.watcher()
    assert first.receive()[0] == CLOSE
    assert second is not first
    bench.close()
    assert "the server was silent for" in caplog.text


def test_pings_keep_a_connection_alive(server: SdkServer) -> None:
    bench = _Bench(server, silence=2.0, reconnect_backoff=Backoff(0.01, 0.01))
    watcher = server.watcher()
    # Longer in total than the allowed silence, but never silent for nearly as long.
    for _ in range(11):
        watcher.ping()
        assert watcher.receive() == (PONG, b"")
        threading.Event().wait(0.2)
    assert len(server.watchers) == 1
    bench.close()


class _Faulty(WebSocket):
    def receive(self, timeout: float, wakeup: Wakeup | None = None) -> str | None:
        raise RuntimeError("a fault of the SDK")


@pytest.mark.parametrize("where", ["while it connects", "while it listens"])
def test_a_fault_of_the_sdk_does_not_end_the_watch(
    server: SdkServer, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    faulty = deque([where == "while it listens"])

    class Bench(_Bench):
        def _connect(self, sync_state: SyncState) -> WebSocket:
            self.store.mark_watched()
            if not faulty:
                return self._open(WebSocket)
            if faulty.popleft():
                return self._open(_Faulty)
            raise RuntimeError("a fault of the SDK")

    bench = Bench(server, reconnect_backoff=Backoff(0.01, 0.01))
    for _ in range(1 if where == "while it connects" else 2):
        watcher = server.watcher()
    watcher.ping()
    # A faulty connection sends a close frame before the next one is opened.
    assert watcher.receive() == (PONG, b"")
    server.drop_connections()
    bench.close()
    assert "hot reload stopped, reconnecting" in caplog.text
    assert "RuntimeError: a fault of the SDK" in caplog.text
    assert not bench.store.is_watched


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_causes_a_warning_and_a_retry(
    server: SdkServer, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    server.refuse_watch = (status, b'{"error":"not with this token"}')
    with caplog.at_level(logging.WARNING):
        bench = _Bench(server, refused_backoff=Backoff(0.01, 0.01))
        bench.watch.wait_for_first_attempt(DEADLINE)
        server.refuse_watch = None
        server.watcher()
        bench.close()
    assert f"hot reload is refused, trying again in 0 s: {status}: not with this" in caplog.text


def test_backoff_grows_to_its_limit_with_full_jitter() -> None:
    backoff = Backoff(initial=1, longest=8)
    for ceiling in (1, 2, 4, 8, 8, 8):
        assert 0 <= backoff.delay() <= ceiling
    backoff.reset()
    assert backoff.delay() <= 1
    patient = Backoff(initial=2, longest=8, shortest=1)
    assert all(1 <= patient.delay() <= 8 for _ in range(400))
    several = Backoff(initial=8, longest=8)
    delays = [several.delay() for _ in range(400)]
    assert min(delays) < 1
    assert max(delays) > 7
