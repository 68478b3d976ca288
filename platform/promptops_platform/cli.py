"""The command `promptops`."""

import asyncio
import os
from importlib.metadata import version as installed_version
from typing import Annotated

import typer
import uvloop

from promptops_platform.app import openapi as openapi_document
from promptops_platform.commands import accounts, as_code, backup, feed, secrets
from promptops_platform.commands.doctor import doctor
from promptops_platform.commands.frame import guarded, read_settings
from promptops_platform.commands.imports import imports
from promptops_platform.commands.worker import worker
from promptops_platform.data_folder import DataFolderLock, read_instance
from promptops_platform.data_folder.permissions import remove_write_permissions
from promptops_platform.db.location import SqliteFile
from promptops_platform.db.unit_of_work import Database
from promptops_platform.lifecycle import migrate_existing
from promptops_platform.openapi.schema import as_text
from promptops_platform.server import serve_platform
from promptops_platform.settings import Settings

app = typer.Typer(
    help="PromptOps: prompts, agents and workflows that change while programs run.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

NewDatabase = Annotated[
    bool,
    typer.Option("--new", help="Create a new database if the one of this data folder is missing."),
]

app.add_typer(accounts.keys, name="key")
app.add_typer(imports, name="import")
app.command("set-password")(accounts.set_password)
app.command("rotate-secrets")(secrets.rotate_secrets)
app.command("resync")(feed.resync)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("doctor")(doctor)
app.command("pull")(as_code.pull)
app.command("diff")(as_code.diff)
app.command("push")(as_code.push)
app.command("watch")(as_code.watch)
app.command("check")(as_code.check)
app.command("schemas")(as_code.schemas)
app.command("worker")(worker)


def main() -> None:
    """Entry point of the command."""
    # Files in the data folder are readable by this user only, whoever has created the folder.
    os.umask(0o077)
    app()


@app.command()
def up(new: NewDatabase = False) -> None:
    """Start everything: platform, run engine and, unless PREFECT_API_URL is set, Prefect."""
    _serve(children=True, new_database=new)


@app.command()
def serve(new: NewDatabase = False) -> None:
    """Start the platform alone. Runs need a `promptops worker` on the same data folder."""
    _serve(children=False, new_database=new)


@app.command("migrate")
def migrate_database() -> None:
    """Upgrade the registry database to the schema of this release."""
    settings = read_settings()
    guarded(lambda: asyncio.run(_migrate(settings)))
    typer.echo("The registry database is up to date.")


@app.command()
def openapi() -> None:
    """Print the OpenAPI document of the API."""
    typer.echo(as_text(openapi_document()), nl=False)


@app.command()
def version() -> None:
    """Print the installed version."""
    typer.echo(f"promptops {installed_version('promptops')}")


def _serve(*, children: bool, new_database: bool) -> None:
    settings = read_settings()

    def run() -> None:
        with DataFolderLock(settings.data):
            location = settings.database_location
            remove_write_permissions(
                settings.data, location.path if isinstance(location, SqliteFile) else None
            )
            uvloop.run(serve_platform(settings, children=children, new_database=new_database))

    guarded(run)


async def _migrate(settings: Settings) -> None:
    instance = read_instance(settings.data)
    database = Database(settings.database_location)
    try:
        await migrate_existing(database, settings, instance.database if instance else None)
    finally:
        await database.close()
