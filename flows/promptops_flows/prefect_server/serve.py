"""Prefect's application in this very process, with all of its background services."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import uvicorn
from prefect.server.api.server import create_app
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, get_current_settings
from sqlalchemy.engine import make_url

from promptops_flows.children import LISTENER_VARIABLE
from promptops_flows.prefect_server import sqlite_lock, template

# Open event streams of a browser never end by themselves.
_GRACEFUL_SECONDS = 3


def serve() -> None:
    """Serve until SIGTERM. The database is made on the first start, migrated on later ones."""
    sqlite_lock.begin_immediate()
    template.install(_database())
    api = get_current_settings().server.api
    config = uvicorn.Config(
        create_app(final=True),
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
    uvicorn.Server(config).run(sockets=sockets)


def _database() -> Path:
    url = make_url(PREFECT_API_DATABASE_CONNECTION_URL.value())
    if url.get_backend_name() != "sqlite" or not url.database:
        raise ValueError(f"The embedded Prefect server keeps a SQLite file, not {url!r}.")
    return Path(url.database)
