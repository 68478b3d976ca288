"""The run engine: `python -m promptops_flows.engine`."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import socket
import sys

from promptops_flows.engine.logs import log, set_up_logging
from promptops_flows.engine.prefect_thread import STOP_SECONDS, PrefectThread
from promptops_flows.engine.server import EngineServer
from promptops_flows.engine.settings import (
    EngineSettings,
    SettingsError,
    read_settings,
    read_socket,
    settle_prefect_defaults,
)
from promptops_flows.engine.socket_file import SocketInUseError, listen_on
from promptops_flows.processes.parent_watch import exit_with_parent
from promptops_flows.protocol.engine_protocol import MAX_LINE_BYTES


async def _serve(settings: EngineSettings, listener: socket.socket, stop: asyncio.Event) -> None:
    server = EngineServer()
    accepting = await asyncio.start_unix_server(server.serve, sock=listener, limit=MAX_LINE_BYTES)
    log(logging.INFO, "engine.listening", socket=str(settings.socket), pid=os.getpid())
    # The server listens before these modules are loaded, which takes seconds; clients that connect
    # meanwhile are refused with the reason that the engine is starting.
    host = await asyncio.to_thread(importlib.import_module, "promptops_flows.engine.host")
    async with host.prefect_behind(server, settings):
        await stop.wait()
        # Before closing: afterwards the path may belong to the next engine, which starts while the
        # runs of this one end.
        if settings.socket is not None:
            settings.socket.unlink(missing_ok=True)
        accepting.close()
        await server.stop(settings.drain_seconds)


def main() -> int:
    """Runs until SIGTERM or SIGINT. Returns 0 after a graceful stop, 2 for invalid settings."""
    set_up_logging()
    try:
        settings = read_settings(os.environ)
        settle_prefect_defaults()
        listener = listen_on(read_socket(os.environ))
    except (SettingsError, SocketInUseError, OSError) as error:
        log(logging.ERROR, "engine.not_started", reason=str(error))
        return 2
    engine = PrefectThread(lambda stop: _serve(settings, listener, stop), settings.drain_seconds)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: engine.stop())
    exit_with_parent(settings.drain_seconds + STOP_SECONDS)
    engine.start()
    engine.ended.wait()
    log(logging.INFO, "engine.stopped", failed=engine.failed)
    return 1 if engine.failed else 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Not `sys.exit`: Prefect's exit hooks would wait for a server that may be gone.
    os._exit(code)
