"""Prefect's application in this process, with all of its background services."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import uvicorn
from prefect.server.api.server import create_app
from prefect.settings import (
    PREFECT_API_BLOCKS_REGISTER_ON_START,
    PREFECT_API_DATABASE_CONNECTION_URL,
    get_current_settings,
    temporary_settings,
)
from sqlalchemy.engine import make_url

from promptops_flows.prefect_server import interface_copy, pages, shrinking, sqlite_lock, template
from promptops_flows.processes.children import LISTENER_VARIABLE

# A browser's open event streams never end by themselves.
_GRACEFUL_SECONDS = 3


def serve() -> None:
    """Serve until SIGTERM. The database is created on the first start and migrated on later
    ones."""
    sqlite_lock.begin_immediate()
    database = _database()
    is_first_start = template.install(database)
    pages.serve_one_interface()
    server = get_current_settings().server
    if "flow_runs" in server.services.db_vacuum.enabled_vacuum_types:
        shrinking.make_shrinkable(database)
        shrinking.keep_small(database)
    api, application = server.api, create_app(final=True)
    interface_copy.adapt(Path(str(server.ui.static_directory), "v2"))
    config = uvicorn.Config(
        pages.GuardedPages(application, str(server.ui.api_url)),
        host=api.host,
        port=api.port,
        timeout_keep_alive=api.keepalive_timeout,
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        ws_ping_interval=api.websocket_ping_interval,
        ws_ping_timeout=api.websocket_ping_timeout,
        log_level="warning",
    )
    listener = os.environ.get(LISTENER_VARIABLE)
    sockets = [socket.socket(fileno=int(listener))] if listener else None
    # The template already contains the block types that Prefect registers in other databases.
    updates = {PREFECT_API_BLOCKS_REGISTER_ON_START: False} if is_first_start else None
    with temporary_settings(updates):
        uvicorn.Server(config).run(sockets=sockets)


def _database() -> Path:
    url = make_url(PREFECT_API_DATABASE_CONNECTION_URL.value())
    if url.get_backend_name() != "sqlite" or not url.database:
        raise ValueError(f"The embedded Prefect server keeps a SQLite file, not {url!r}.")
    return Path(url.database)
