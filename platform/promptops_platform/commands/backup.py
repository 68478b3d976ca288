"""`promptops backup` and `promptops restore`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from promptops_platform.backups.archive import Manifest
from promptops_platform.backups.making import PREFECT, make_backup
from promptops_platform.backups.restoring import check_backup, needs_secret_key, restore_backup
from promptops_platform.commands.frame import guarded, read_settings
from promptops_platform.settings import Settings

BackupFile = Annotated[Path, typer.Argument(help="The file of the backup.", metavar="FILE")]


def backup(file: BackupFile) -> None:
    """Write the database, Prefect's history and the platform's identity to a new file, even while
    the platform runs. Secret keys are not included: store them separately."""
    settings = read_settings()

    def make() -> None:
        manifest = asyncio.run(make_backup(settings, file))
        typer.echo(f"Wrote {file} ({file.stat().st_size:,} bytes): {_contents(manifest)}.")
        typer.echo(_not_included(settings))

    guarded(make)


def restore(
    file: BackupFile,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace existing data; its files are moved aside.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only check whether the backup is sound.")
    ] = False,
) -> None:
    """Restore a backup into the data folder and database of the settings, while no platform uses
    them. Watching programs fetch everything again."""
    settings = read_settings()

    def put_back() -> None:
        if check:
            manifest = asyncio.run(check_backup(settings, file))
            typer.echo(f"{file} is sound: {_contents(manifest)}.")
            return
        manifest = asyncio.run(restore_backup(settings, file, replace=replace))
        typer.echo(f"Restored {_contents(manifest)} to {settings.database_location}.")
        if needs_secret_key(settings):
            typer.echo(
                f"Now put secret.key of that platform into {settings.data}, or set "
                "PROMPTOPS_SECRET_KEY to it: without it, stored provider keys can't be read."
            )

    guarded(put_back)


def _contents(manifest: Manifest) -> str:
    rows = sum(table.rows for table in manifest.tables.values())
    history = ", with Prefect's history" if PREFECT in manifest.members else ""
    return (
        f"{rows:,} rows of {len(manifest.tables)} tables ({manifest.database}, schema "
        f"{manifest.schema}, {manifest.created_at}){history}"
    )


def _not_included(settings: Settings) -> str:
    keys = "PROMPTOPS_SECRET_KEY" if settings.secret_key else f"{settings.data / 'secret.key'}"
    others = "PROMPTOPS_TOKEN and the other settings"
    if settings.prefect_api_url:
        others += f", and the database of the Prefect server at {settings.prefect_api_url}"
    return f"Not included, keep copies elsewhere: {keys} (decrypts stored secrets), {others}."
