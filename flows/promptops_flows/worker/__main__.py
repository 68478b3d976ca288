"""A worker: `python -m promptops_flows.worker`, which `promptops worker` executes.

It executes the runs of one of Prefect's work pools on its own machine, and has no database: the
platform sends it each run with everything that it needs, and receives the run's events, over HTTP.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import sys
import uuid
from importlib.metadata import version

from promptops_flows.engine.logs import log, set_up_logging
from promptops_flows.engine.prefect_thread import STOP_SECONDS, PrefectThread
from promptops_flows.engine.settings import SettingsError, settle_prefect_defaults
from promptops_flows.processes.parent_watch import exit_with_parent
from promptops_flows.processes.waiting import happens_within
from promptops_flows.worker.platform_client import (
    PlatformClient,
    PlatformUnavailable,
    PrefectLogin,
    WorkerRefused,
)
from promptops_flows.worker.settings import WorkerSettings, read_worker_settings

_AGAIN_SECONDS = 1.0
_REFUSED = 2


class _Exit:
    """The exit code of the worker's thread."""

    code = 0


async def _work(
    settings: WorkerSettings, worker_id: str, stop: asyncio.Event, leaving: _Exit
) -> None:
    worker = {
        "id": worker_id,
        "name": settings.name,
        "pool": settings.pool,
        "version": version("promptops"),
        "concurrency": settings.engine.concurrency,
    }
    client = PlatformClient(settings.server, settings.key, worker)
    try:
        login = await _registered(client, stop)
        if stop.is_set():
            return
        _set_up_prefect(login)
        # Loaded after Prefect's address is set, since loading takes seconds.
        host = await asyncio.to_thread(importlib.import_module, "promptops_flows.worker.host")
        refused = await host.serve(settings, client, stop)
        if refused is not None:
            raise WorkerRefused(refused)
    except (WorkerRefused, SettingsError) as error:
        log(logging.ERROR, "worker.refused", reason=str(error))
        leaving.code = _REFUSED
    finally:
        await client.close()


async def _registered(client: PlatformClient, stop: asyncio.Event) -> PrefectLogin | None:
    reason = ""
    while True:
        try:
            return await client.register()
        except PlatformUnavailable as error:
            if str(error) != reason:
                reason = str(error)
                log(logging.WARNING, "worker.waits", reason=reason)
        if await happens_within(stop, _AGAIN_SECONDS):
            return None


def _set_up_prefect(login: PrefectLogin | None) -> None:
    """Raises `SettingsError`. The operator's own settings take precedence."""
    if os.environ.get("PREFECT_API_URL"):
        return
    if login is None:
        raise SettingsError(
            "the platform did not send Prefect's address; set PREFECT_API_URL, or have an admin "
            "set PROMPTOPS_WORKER_PREFECT_URL there"
        )
    os.environ["PREFECT_API_URL"] = login.api_url
    if login.auth is not None:
        os.environ["PREFECT_API_AUTH_STRING"] = login.auth


def main() -> int:
    """Runs until SIGTERM or SIGINT. Returns 0 after a graceful stop, 2 for invalid settings or if
    the platform refuses the worker."""
    set_up_logging()
    worker_id = uuid.uuid4().hex
    try:
        settings = read_worker_settings(os.environ, worker_id[-12:])
    except SettingsError as error:
        log(logging.ERROR, "worker.not_started", reason=str(error))
        return _REFUSED
    settle_prefect_defaults()
    leaving = _Exit()
    drain_seconds = settings.engine.drain_seconds
    thread = PrefectThread(lambda stop: _work(settings, worker_id, stop, leaving), drain_seconds)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: thread.stop())
    exit_with_parent(drain_seconds + STOP_SECONDS)
    thread.start()
    thread.ended.wait()
    log(logging.INFO, "worker.stopped", failed=thread.failed)
    return 1 if thread.failed else leaving.code


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Not `sys.exit`: Prefect's exit hooks would wait for a server that may be gone.
    os._exit(code)
