"""A worker's settings: environment variables, which `promptops worker` completes."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from promptops_flows.engine.settings import EngineSettings, SettingsError, address_policies, number

POOL_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """`server` is the platform's address, `key` an API key with the role worker. With a
    `flow_run_id` the worker executes only that flow run."""

    server: str
    key: str = field(repr=False)
    name: str
    pool: str
    engine: EngineSettings
    flow_run_id: str | None = None


def read_worker_settings(environment: Mapping[str, str], worker_id: str) -> WorkerSettings:
    """Raises `SettingsError`."""
    concurrency = number(environment, "PROMPTOPS_WORKER_CONCURRENCY", 16.0)
    if concurrency < 1:
        raise SettingsError("PROMPTOPS_WORKER_CONCURRENCY must be at least 1")
    models, tools = address_policies(environment)
    engine = EngineSettings(
        socket=None,
        engine_id=worker_id,
        concurrency=int(concurrency),
        drain_seconds=number(environment, "PROMPTOPS_DRAIN_SECONDS", 30.0),
        address_policy=models,
        tool_policy=tools,
    )
    return WorkerSettings(
        server=_server(environment),
        key=_key(environment),
        name=environment.get("PROMPTOPS_WORKER_NAME") or socket.gethostname(),
        pool=_pool(environment),
        engine=engine,
        flow_run_id=environment.get("PREFECT__FLOW_RUN_ID") or None,
    )


def _server(environment: Mapping[str, str]) -> str:
    address = environment.get("PROMPTOPS_SERVER", "").rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(
            f"PROMPTOPS_SERVER is {address!r}, give the address of the platform, such as "
            "https://promptops.example.org"
        )
    insecure = environment.get("PROMPTOPS_WORKER_INSECURE") == "1"
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not insecure:
        raise SettingsError(
            f"PROMPTOPS_SERVER is {address!r}: keys of model providers would cross the network in "
            "the clear; use https, or set PROMPTOPS_WORKER_INSECURE=1 in a network that is private"
        )
    return address


def _key(environment: Mapping[str, str]) -> str:
    key = environment.get("PROMPTOPS_WORKER_KEY", "").strip()
    file = environment.get("PROMPTOPS_WORKER_KEY_FILE", "")
    if not key and file:
        try:
            key = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"PROMPTOPS_WORKER_KEY_FILE is {file!r}, which can't be read ({error})"
            ) from error
    if not key:
        raise SettingsError(
            "PROMPTOPS_WORKER_KEY is not set; have an admin make an API key with the role worker"
        )
    return key


def _pool(environment: Mapping[str, str]) -> str:
    pool = environment.get("PROMPTOPS_WORKER_POOL", "")
    if not POOL_NAME.fullmatch(pool):
        raise SettingsError(
            f"PROMPTOPS_WORKER_POOL is {pool!r}, give the name of a work pool: at most 63 lower "
            "case letters, digits, - and _"
        )
    return pool
