"""The run engine: `python -m promptops_flows.engine`.

Prefect runs on a thread of its own. On the main thread it would install its own handler for SIGTERM
while a run is active, and a graceful stop would crash that run.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import socket
import sys
import threading

from promptops_flows.engine.logs import log, set_up_logging
from promptops_flows.engine.server import EngineServer
from promptops_flows.engine.settings import (
    EngineSettings,
    SettingsError,
    read_settings,
    settle_prefect_defaults,
)
from promptops_flows.engine.socket_file import SocketInUseError, listen_on
from promptops_flows.processes.parent_watch import exit_with_parent
from promptops_flows.protocol.engine_protocol import MAX_LINE_BYTES

# What a stop may take beyond the drain: cancelled runs, Prefect's last events, open connections.
_STOP_SECONDS = 20.0


class _Engine(threading.Thread):
    """Takes runs from start to `stop`; `failed` says that it ended for another reason."""

    def __init__(self, settings: EngineSettings, listener: socket.socket) -> None:
        super().__init__(name="prefect", daemon=True)
        self.failed = False
        self.ended = threading.Event()
        self._settings = settings
        self._listener = listener
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()

    def run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except Exception:
            self.failed = True
            logging.getLogger("promptops.engine").exception("engine.failed")
        finally:
            self.ended.set()

    def stop(self) -> None:
        """End gracefully, within the drain and some seconds for what comes after it."""
        self._loop.call_soon_threadsafe(self._stop.set)
        cut = threading.Timer(self._settings.drain_seconds + _STOP_SECONDS, _exit_at_once)
        cut.daemon = True
        cut.start()

    async def _serve(self) -> None:
        server = EngineServer()
        accepting = await asyncio.start_unix_server(
            server.serve, sock=self._listener, limit=MAX_LINE_BYTES
        )
        log(logging.INFO, "engine.listening", socket=str(self._settings.socket), pid=os.getpid())
        # Loaded while it already listens: that takes seconds, and clients are told so meanwhile.
        host = await asyncio.to_thread(importlib.import_module, "promptops_flows.engine.host")
        async with host.prefect_behind(server, self._settings):
            await self._stop.wait()
            # Before it closes: from then on the path may be the next engine's, which starts while
            # this one lets its runs end.
            self._settings.socket.unlink(missing_ok=True)
            accepting.close()
            await server.stop(self._settings.drain_seconds)


def _exit_at_once() -> None:
    # Prefect retries its last calls for a minute when the server went away first.
    log(logging.ERROR, "engine.stop_took_too_long")
    os._exit(1)


def main() -> int:
    """Runs until SIGTERM or SIGINT; 0 after a graceful stop, 2 for a wrong set-up."""
    set_up_logging()
    try:
        settings = read_settings(os.environ)
        settle_prefect_defaults()
        listener = listen_on(settings.socket)
    except (SettingsError, SocketInUseError, OSError) as error:
        log(logging.ERROR, "engine.not_started", reason=str(error))
        return 2
    engine = _Engine(settings, listener)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: engine.stop())
    exit_with_parent(settings.drain_seconds + _STOP_SECONDS)
    engine.start()
    engine.ended.wait()
    log(logging.INFO, "engine.stopped", failed=engine.failed)
    return 1 if engine.failed else 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Not `sys.exit`: Prefect's exit hooks would wait once more for a server that may be gone.
    os._exit(code)
