"""The thread of a watch, which receives events and keeps cached prompts up to date."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from promptops.backoff import Backoff
from promptops.errors import (
    ClientClosedError,
    ForbiddenError,
    PromptOpsError,
    UnauthorizedError,
)
from promptops.fetch_thread import Fetcher
from promptops.frames import FloodError
from promptops.listeners import Listeners, PendingNotifications
from promptops.prompt_store import CachedPrompt, Failure
from promptops.sync_state import Due, SyncState
from promptops.transport import Connector, Wakeup
from promptops.websocket import TOKEN_ENDED, ConnectionLostError, WebSocket

# The pause before reconnecting to a server that floods the connection.
FLOODED_SECONDS = 5.0

logger = logging.getLogger("promptops")

# The most messages before the next fetch: many events of one key cause one fetch, but a stream of
# them can't delay fetches forever.
MESSAGES_AT_ONCE = 1000


class Watch:
    """Receives the server's events in a daemon thread, and reconnects as often as necessary.

     `connect` opens the event stream, for the first time after `delay` seconds. The thread ends
    when the connector is closed. Raises RuntimeError if no thread can be started.
    """

    def __init__(
        self,
        connector: Connector,
        connect: Callable[[SyncState], WebSocket],
        sync_state: SyncState,
        fetcher: Fetcher,
        listeners: Listeners,
        pending: PendingNotifications,
        *,
        delay: float = 0.0,
        reconnect_backoff: Backoff | None = None,
        refused_backoff: Backoff | None = None,
    ) -> None:
        self._connector = connector
        self._connect = connect
        self._sync_state = sync_state
        self._fetcher = fetcher
        self._store = fetcher.policy.store
        self._listeners = listeners
        self._pending = pending
        self._reconnect_backoff = reconnect_backoff or Backoff.for_failures()
        self._refused_backoff = refused_backoff or Backoff.for_refusals()
        self._delay = delay
        self._wakeup = Wakeup()
        fetcher.policy.wake_watch = self._wakeup.set
        self._first_attempt = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="promptops-watch", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            fetcher.policy.watch_ended()
            self._wakeup.close()
            raise

    def wait_for_first_attempt(self, seconds: float) -> None:
        """Wait until the first connection succeeded or failed."""
        self._first_attempt.wait(seconds)

    def abandon(self) -> None:
        """In a child process, where the thread does not exist: free the descriptors."""
        self._wakeup.close()

    def join(self, seconds: float) -> None:
        """Wait until the thread has ended; does nothing in that thread, in a listener."""
        if threading.current_thread() is not self._thread:
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._connector.sleep(self._delay)
            while not self._connector.closed:
                self._connector.sleep(self._run_connection())
        except ClientClosedError:
            logger.debug("hot reload ended, the client is closed")
        finally:
            self._first_attempt.set()
            self._wakeup.close()

    def _run_connection(self) -> float:
        """Run one connection to its end; returns the seconds to wait before the next one."""
        try:
            with contextlib.closing(self._connect(self._sync_state)) as websocket:
                self._first_attempt.set()
                self._serve_connection(websocket)
        except ClientClosedError:
            raise
        except (UnauthorizedError, ForbiddenError) as error:
            pause = self._refused_backoff.delay()
            logger.warning("hot reload is refused, trying again in %.0f s: %s", pause, error)
            self._listeners.notify_refusal(error)
        except PromptOpsError as error:
            pause = self._reconnect_backoff.delay()
            if isinstance(error, FloodError):
                pause = max(pause, FLOODED_SECONDS)
            level = logging.DEBUG if self._failing else logging.WARNING
            logger.log(level, "hot reload stopped, reconnecting until it works: %s", error)
        # A bug of this SDK must not end hot reload.
        except Exception:
            pause = self._reconnect_backoff.delay()
            logger.exception("hot reload stopped, reconnecting")
        else:
            pause = 0.0
        self._failing = True
        self._first_attempt.set()
        return pause

    def _serve_connection(self, websocket: WebSocket) -> None:
        """Receive events and refetch, until the connection or the client ends."""
        if self._failing:
            logger.warning("hot reload works again")
        self._failing = False
        self._sync_state.connected()
        try:
            self._listeners.notify_connect()
            self._process_messages(websocket)
        except ConnectionLostError as error:
            if error.code == TOKEN_ENDED:
                raise UnauthorizedError(401, "the token or session has ended") from error
            raise
        finally:
            self._sync_state.disconnected()
            self._store.mark_unwatched()
            if not self._connector.closed:
                self._listeners.notify_disconnect()

    def _process_messages(self, websocket: WebSocket) -> None:
        opened_at = websocket.last_frame_at
        while not self._connector.closed:
            self._take_messages(websocket)
            # Not after the handshake alone, to keep the pauses for a server that drops every
            # connection.
            if websocket.last_frame_at > opened_at:
                self._reconnect_backoff.reset()
                self._refused_backoff.reset()
            self._sync_state.check_hello_timeout()
            for report in self._sync_state.take_reports():
                websocket.send(report)
            due = self._sync_state.next_due()
            if due is not None:
                self._apply_due(due)

    def _take_messages(self, websocket: WebSocket) -> None:
        """Wait for messages until other work is due; handle all messages that arrived."""
        self._wakeup.clear()
        until_dead = websocket.last_frame_at + self._sync_state.silence - time.monotonic()
        wait = max(min(until_dead, self._sync_state.seconds_to_next()), 0.0)
        for _ in range(MESSAGES_AT_ONCE):
            message = websocket.receive(wait, self._wakeup)
            if message is None:
                break
            self._sync_state.handle_message(message)
            wait = 0.0
        silent = time.monotonic() - websocket.last_frame_at
        if silent >= self._sync_state.silence:
            raise ConnectionLostError(f"the server was silent for {silent:.0f} seconds")

    def _apply_due(self, due: Due) -> None:
        if due.is_deletion:
            self._sync_state.apply_deletion(due)
            self._pending.deliver()
            return
        previous = self._store.find_copy(due.key)
        outcome = self._sync_state.current_copy(due) or self._refetch(due)
        self._sync_state.record_refetch(due, previous, outcome)()

    def _refetch(self, due: Due) -> CachedPrompt | Exception:
        with self._fetcher.policy.refetching(due.key, due.position):
            try:
                outcome = self._fetcher.fetch_fresh(due.key)
            except ClientClosedError:
                raise
            # A bug of this SDK with this prompt must not delay the next one.
            except Exception as error:  # noqa: BLE001 (logged as the failure it is)
                return error
        return outcome.error if isinstance(outcome, Failure) else outcome
