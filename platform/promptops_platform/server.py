"""Runs the platform: sockets, signals, child processes, and the text at the start."""

import asyncio
import gc
import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from socket import socket
from typing import Literal, cast

import structlog
import uvicorn
from starlette.types import ASGIApp

from promptops_flows.processes.children import ChildSpec, engine_spec, prefect_server_spec
from promptops_flows.processes.waiting import end_tasks
from promptops_platform import open_files
from promptops_platform.app import asgi
from promptops_platform.banner import PrefectAccess, start_text
from promptops_platform.clock import SystemClock
from promptops_platform.data_folder import instance_id
from promptops_platform.data_folder.files import check_children_files
from promptops_platform.errors import StartRefused
from promptops_platform.freed_memory import malloc_trim, return_freed_memory
from promptops_platform.http.connection import HttpConnection
from promptops_platform.http.connection_limits import ConnectionLimits
from promptops_platform.lifecycle import Platform
from promptops_platform.listen_addresses import ListenAddress, open_sockets
from promptops_platform.realtime.connection import WatchConnection
from promptops_platform.settings import Settings
from promptops_platform.supervision.login_files import read_credentials, stored_credentials
from promptops_platform.supervision.ports import reserve_port
from promptops_platform.supervision.start_work import ChildrenStartWork
from promptops_platform.supervision.supervisor import Supervisor
from promptops_platform.workers.composition import prefect_of

log = structlog.get_logger(__name__)

LONGEST_WEBSOCKET_MESSAGE = 64 * 1024
BACKLOG = 2048
# Longer than clients keep an idle connection, so that they close it, not we while they send a
# request.
KEEP_ALIVE_SECONDS = 120
CREDENTIALS = Path("prefect", "credentials")
PREFECT_HOST = "127.0.0.1"
# The time that remains after the runs were drained, to respond to their callers.
ANSWER_SECONDS = 5.0
# The additional time after which a child that drains is killed.
KILL_MARGIN_SECONDS = 25.0


class _Server(uvicorn.Server):
    """Doesn't handle signals: uvicorn raises them again at its end, so a graceful stop would exit
    with the signal's code instead of 0."""

    def __init__(self, config: uvicorn.Config, when_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_started = when_started

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._when_started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """Finish what is running; a second call stops without waiting."""
        self.force_exit = self.should_exit
        self.should_exit = True


async def serve_platform(settings: Settings, *, children: bool, new_database: bool = False) -> None:
    """Serve until SIGTERM or SIGINT, then let requests and runs end, and stop the children.

    Raises SchemaRefused, or StartRefused if an address can't be bound.
    """
    supervisor = Supervisor(settings.data / "logs")
    platform = Platform(settings, SystemClock(), ChildrenStartWork(supervisor))
    try:
        if children:
            _check_children_files(settings)
        await platform.prepare(new_database=new_database)
        specs, prefect = _children(settings) if children else ([], None)
        if prefect is not None:
            access = prefect_of(settings, prefect.api_url, prefect.auth)
            platform.workers.service.prefect = access
        # Done here, because uvicorn would exit with a traceback instead of a sentence.
        await platform.start()
        async with platform.database.read() as transaction:
            default_passwords = await platform.access.accounts.default_passwords(transaction)
        # After everything that may refuse the start with a sentence.
        log.info("open_files", limit=open_files.raise_limit())
        exposed = settings.uses_default_token or bool(default_passwords)
        sockets = _open_sockets(settings.listen, loopback_only=exposed)
        text = start_text(settings, sockets, prefect, default_passwords)
        await _serve(
            platform, supervisor, sockets, lambda: _started(supervisor, specs, settings, text)
        )
    finally:
        # The engine lets its runs end, and their results are recorded meanwhile.
        await asyncio.gather(platform.stop(), supervisor.stop())


def _check_children_files(settings: Settings) -> None:
    """Check the files before anything is changed. Raises DataFolderNotUsable and
    UnreadableCredentialsError."""
    with_prefect = settings.prefect_api_url is None
    check_children_files(settings.data, with_prefect=with_prefect)
    if with_prefect:
        read_credentials(settings.data / CREDENTIALS)


def _children(settings: Settings) -> tuple[list[ChildSpec], PrefectAccess]:
    """Return what to start beside the platform, and how to reach the Prefect server."""
    prefect = _prefect_access(settings)
    engine = engine_spec(
        socket=settings.engine_socket,
        instance=instance_id(settings.data),
        data=settings.data,
        prefect_api_url=prefect.api_url,
        prefect_auth=prefect.auth,
        concurrency=settings.engine_concurrency,
        drain_seconds=settings.drain_seconds,
        provider_hosts=settings.provider_hosts,
        tool_hosts=settings.tool_hosts,
        development=settings.env == "development",
    )
    if prefect.listener is None or prefect.port is None:
        return [engine], prefect
    server = prefect_server_spec(
        data=settings.data,
        host=PREFECT_HOST,
        port=prefect.port,
        auth=prefect.auth or "",
        listener=prefect.listener.fileno(),
        keep_days=settings.run_days,
    )
    return [server, engine], prefect


def _prefect_access(settings: Settings) -> PrefectAccess:
    if settings.prefect_api_url is not None:
        auth = settings.prefect_api_auth_string
        password = auth.get_secret_value() if auth else None
        return PrefectAccess(settings.prefect_api_url, password, listener=None)
    listener = reserve_port(settings.prefect_port, PREFECT_HOST)
    port = listener.getsockname()[1]
    auth_string = stored_credentials(settings.data / CREDENTIALS)
    return PrefectAccess(f"http://{PREFECT_HOST}:{port}/api", auth_string, listener)


def _started(supervisor: Supervisor, specs: list[ChildSpec], settings: Settings, text: str) -> None:
    """Print that requests are served, and start the children, which start slower and share the
    CPU."""
    # What is loaded now stays loaded. The garbage collector would scan all of it again whenever
    # requests create many values, and block the event loop for up to half a second.
    gc.collect()
    gc.freeze()
    print(text, flush=True)  # noqa: T201  for the person who started it
    for spec in specs:
        supervisor.start(spec, grace=settings.drain_seconds + KILL_MARGIN_SECONDS)


def _open_sockets(address: ListenAddress, *, loopback_only: bool) -> list[socket]:
    try:
        return open_sockets(address.hosts(loopback_only=loopback_only), address.port)
    except OSError as error:
        raise StartRefused(
            f"can't listen on {address.host or ''}:{address.port} ({error.strerror}); "
            "set PROMPTOPS_ADDR to a free address"
        ) from error


async def _serve(
    platform: Platform,
    supervisor: Supervisor,
    sockets: list[socket],
    when_started: Callable[[], None],
) -> None:
    # `serve_platform` starts and stops the platform. Uvicorn's lifespan could do that, too, but it
    # ends with a traceback if the stop is not awaited.
    config = uvicorn_config(asgi(platform), platform.settings, lifespan="off")
    server = _Server(config, when_started)
    loop = asyncio.get_running_loop()
    stopping: list[asyncio.Task[None]] = []

    def stop() -> None:
        server.stop()
        platform.stop_signal.set()
        seconds = 0.0 if server.force_exit else platform.settings.drain_seconds
        # All parts drain concurrently, within one time limit; runs that take too long still get a
        # response.
        stopping.append(loop.create_task(platform.execution.drain(seconds)))
        stopping.append(loop.create_task(supervisor.stop(now=server.force_exit)))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    feed = platform.changes.feed
    freeing = return_freed_memory(malloc_trim(), lambda: feed.applied)
    trimming = loop.create_task(freeing, name="freed-memory")
    await server.serve(sockets=sockets)
    await asyncio.gather(*stopping)
    await end_tasks(trimming)


def uvicorn_config(
    application: ASGIApp, settings: Settings, *, lifespan: Literal["on", "off"]
) -> uvicorn.Config:
    """Return uvicorn's configuration; with `lifespan` on it also starts and stops the platform."""
    limits = ConnectionLimits(settings, open_files=open_files.limit())
    return uvicorn.Config(
        application,
        loop="none",
        http=cast("type[asyncio.Protocol]", partial(HttpConnection, limits)),
        ws=WatchConnection,
        # The hub sends pings: a timer per connection would cost more than the watching itself.
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        ws_max_size=LONGEST_WEBSOCKET_MESSAGE,
        lifespan=lifespan,
        access_log=False,
        log_config=None,
        server_header=False,
        # Only these proxies may report a client's address.
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds + ANSWER_SECONDS),
    )
