"""`promptops worker`: a run engine on the same data folder, or a worker on any machine."""

import os
from pathlib import Path
from typing import Annotated

import typer

from promptops_flows.processes.children import engine_spec, inherited, worker_environment
from promptops_platform.commands.frame import guarded, read_settings, refuse
from promptops_platform.data_folder import instance_id
from promptops_platform.data_folder.files import check_engine_files
from promptops_platform.settings import Settings

Server = Annotated[
    str | None,
    typer.Option(envvar="PROMPTOPS_SERVER", help="Address of the platform that hands out runs."),
]
Pool = Annotated[
    str | None,
    typer.Option(envvar="PROMPTOPS_WORKER_POOL", help="Work pool whose runs it executes."),
]
Concurrency = Annotated[
    int, typer.Option(envvar="PROMPTOPS_WORKER_CONCURRENCY", min=1, help="Runs at once.")
]
Name = Annotated[
    str | None,
    typer.Option(envvar="PROMPTOPS_WORKER_NAME", help="By default that of the machine."),
]
# Environment variables that a worker reads beside its options.
READ = (
    "PROMPTOPS_WORKER_KEY",
    "PROMPTOPS_WORKER_KEY_FILE",
    "PROMPTOPS_WORKER_INSECURE",
    "PROMPTOPS_DRAIN_SECONDS",
    "PROMPTOPS_PROVIDER_HOSTS",
    "PROMPTOPS_TOOL_HOSTS",
    "PROMPTOPS_ENV",
)


def worker(
    server: Server = None, pool: Pool = None, concurrency: Concurrency = 16, name: Name = None
) -> None:
    """Execute runs, either of a work pool or of the platform on this data folder.

    With --server and --pool, it executes the runs of the pool, on any machine and without a
    database. PROMPTOPS_WORKER_KEY contains an API key with the role worker, or
    PROMPTOPS_WORKER_KEY_FILE names a file with it. Without both, it is the run engine of this data
    folder, on the Prefect server at PREFECT_API_URL.
    """
    if server is None and pool is None:
        settings = read_settings()
        if settings.prefect_api_url is None:
            refuse("PREFECT_API_URL is not set; name the API of the Prefect server to use")
        guarded(lambda: _become_engine(settings))
    if server is None or pool is None:
        refuse("a worker of a work pool needs both --server and --pool")
    options = {
        "PROMPTOPS_SERVER": server,
        "PROMPTOPS_WORKER_POOL": pool,
        "PROMPTOPS_WORKER_CONCURRENCY": str(concurrency),
        "PROMPTOPS_WORKER_NAME": name or "",
    }
    options |= {variable: os.environ[variable] for variable in READ if variable in os.environ}
    guarded(lambda: _become_worker(options))


def _become_worker(options: dict[str, str]) -> None:
    argv, environment = worker_environment(os.environ, options)
    os.execve(argv[0], argv, environment)  # noqa: S606  our own interpreter


def _become_engine(settings: Settings) -> None:
    check_engine_files(settings.data)
    auth = settings.prefect_api_auth_string
    spec = engine_spec(
        socket=settings.engine_socket,
        instance=instance_id(settings.data),
        data=Path(settings.data),
        prefect_api_url=settings.prefect_api_url or "",
        prefect_auth=auth.get_secret_value() if auth else None,
        concurrency=settings.engine_concurrency,
        drain_seconds=settings.drain_seconds,
        provider_hosts=settings.provider_hosts,
        tool_hosts=settings.tool_hosts,
        development=settings.env == "development",
    )
    environment = {**inherited(os.environ), **spec.env}
    os.execve(spec.argv[0], spec.argv, environment)  # noqa: S606  our own interpreter
