"""The command `promptops`."""

import asyncio
import os
import sys
from collections.abc import Callable
from importlib.metadata import version as installed_version
from pathlib import Path

import typer
import uvloop
from pydantic import ValidationError

from promptops_flows.children import engine_spec
from promptops_platform.data_folder import DataFolderInUse, DataFolderLock
from promptops_platform.db.schema import SchemaRefused, migrate
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import PlatformError
from promptops_platform.http.error_answers import sentences
from promptops_platform.logs import configure_logs
from promptops_platform.server import StartRefused, serve_platform
from promptops_platform.settings import Settings
from promptops_platform.supervision.credentials import UnreadableCredentialsError

app = typer.Typer(
    help="PromptOps: prompts, agents and workflows that change while programs run.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

REFUSALS = (
    DataFolderInUse,
    SchemaRefused,
    StartRefused,
    UnreadableCredentialsError,
    PlatformError,
    OSError,
    ValueError,
)


def main() -> None:
    """Entry point of the command."""
    app()


@app.command()
def up() -> None:
    """Run everything: the platform, its run engine and, unless PREFECT_API_URL is set, Prefect."""
    _serve(children=True)


@app.command()
def serve() -> None:
    """Run the platform alone; runs need a `promptops worker` on the same data folder."""
    _serve(children=False)


@app.command()
def worker() -> None:
    """Run the engine that executes runs, on the Prefect server at PREFECT_API_URL."""
    settings = _settings()
    if settings.prefect_api_url is None:
        _refuse("PREFECT_API_URL is not set; name the API of the Prefect server to use")
    spec = _engine(settings)
    os.execve(spec[0][0], spec[0], {**os.environ, **spec[1]})  # noqa: S606  our own interpreter


@app.command("migrate")
def migrate_database() -> None:
    """Bring the registry database to this release's schema."""
    settings = _settings()
    _guarded(lambda: asyncio.run(_migrate(settings)))
    typer.echo("The registry database is up to date.")


@app.command()
def version() -> None:
    """Print the installed version."""
    typer.echo(f"promptops {installed_version('promptops')}")


def _serve(*, children: bool) -> None:
    settings = _settings()

    def run() -> None:
        with DataFolderLock(settings.data):
            uvloop.run(serve_platform(settings, children=children))

    _guarded(run)


async def _migrate(settings: Settings) -> None:
    database = Database(settings.sqlalchemy_url)
    try:
        await migrate(database.engines)
    finally:
        await database.close()


def _engine(settings: Settings) -> tuple[tuple[str, ...], dict[str, str]]:
    auth = settings.prefect_api_auth_string
    spec = engine_spec(
        socket=settings.engine_socket,
        data=Path(settings.data),
        prefect_api_url=settings.prefect_api_url or "",
        prefect_auth=auth.get_secret_value() if auth else None,
        concurrency=settings.engine_concurrency,
        drain_seconds=settings.drain_seconds,
    )
    return spec.argv, dict(spec.env)


def _settings() -> Settings:
    try:
        settings = Settings()
    except ValidationError as error:
        _refuse("; ".join(f"PROMPTOPS_{each}" for each in sentences(error.errors())))
    configure_logs(settings.log_level, settings.log_format)
    return settings


def _guarded(action: Callable[[], None]) -> None:
    """Run `action`; what forbids a start is one sentence for the operator, not a traceback."""
    try:
        action()
    except REFUSALS as error:
        _refuse(str(error))


def _refuse(sentence: str) -> None:
    typer.echo(f"promptops: {sentence}", err=True)
    sys.exit(1)
