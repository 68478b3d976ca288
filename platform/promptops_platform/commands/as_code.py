"""`promptops pull`, `diff`, `push` and `watch`: prompts as files in a folder."""

import difflib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from promptops_platform.as_code.comparison import Difference, Status
from promptops_platform.as_code.folder import Folder, text_of
from promptops_platform.as_code.json_schemas import write_schemas
from promptops_platform.as_code.remote import Remote, ServerError
from promptops_platform.as_code.resources import Content, Identity
from promptops_platform.as_code.sync import Report, Sync, SyncOptions
from promptops_platform.as_code.sync_state import FolderError
from promptops_platform.as_code.watching import Watch
from promptops_platform.settings import DEFAULT_TOKEN

# The same codes as those of `diff` and `cmp`.
DIFFERENT, TROUBLE, CONFLICTS = 1, 2, 3
DEFAULT_SERVER = "http://127.0.0.1:8080"

FolderPath = Annotated[Path, typer.Argument(help="The folder with the files.", metavar="FOLDER")]
# For commands that only read it: a mistyped name must not look like an empty folder.
ExistingFolder = Annotated[
    Path,
    typer.Argument(
        help="The folder with the files.", metavar="FOLDER", exists=True, file_okay=False
    ),
]
Server = Annotated[str, typer.Option(envvar="PROMPTOPS_SERVER", help="Address of the server.")]
Workspace = Annotated[
    str, typer.Option(envvar="PROMPTOPS_WORKSPACE", help="Id or slug of the workspace.")
]
Environments = Annotated[
    list[str] | None,
    typer.Option("--env", help="Only prompts of this environment; may be repeated."),
]
Delete = Annotated[bool, typer.Option("--delete", help="Also apply deletions.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would change.")]


def pull(
    folder: FolderPath,
    server: Server = DEFAULT_SERVER,
    workspace: Workspace = "default",
    env: Environments = None,
    force: Annotated[bool, typer.Option("--force", help="The server wins conflicts.")] = False,
    delete: Delete = False,
    dry_run: DryRun = False,
) -> None:
    """Write the server's prompts, agents and workflows into the folder. The token comes from
    PROMPTOPS_TOKEN.

    Exit code 0: done; 2: something is wrong; 3: both sides have changed something, which was left
    alone.
    """
    with _sync(folder, server, workspace, env) as sync:
        report = sync.pull(SyncOptions(force=force, delete=delete, dry_run=dry_run))
    _finish(report, "written" if not dry_run else "would be written")


def push(
    folder: ExistingFolder,
    server: Server = DEFAULT_SERVER,
    workspace: Workspace = "default",
    env: Environments = None,
    force: Annotated[bool, typer.Option("--force", help="The folder wins conflicts.")] = False,
    delete: Delete = False,
    dry_run: DryRun = False,
    publish: Annotated[
        bool,
        typer.Option(
            "--publish",
            help="Also publish: prompts in their environment, agents and workflows in each --env, "
            "or else in the first environment.",
        ),
    ] = False,
    note: Annotated[str, typer.Option(help="The reason, for the history; with --publish.")] = "",
) -> None:
    """Save what changed in the folder as drafts on the server, or publish it.

    Exit code 0: done; 1, with --dry-run: something would change; 2: something is wrong or was
    refused; 3: both sides have changed something, which was left alone.
    """
    with _sync(folder, server, workspace, env) as sync:
        options = SyncOptions(
            force=force,
            delete=delete,
            dry_run=dry_run,
            publish=publish,
            publish_all=publish,
            note=note,
        )
        report = sync.push(options)
    done = "pushed or published" if publish else "pushed"
    _finish(report, done if not dry_run else f"would be {done}")
    if dry_run and report.changed:
        sys.exit(DIFFERENT)


def diff(
    folder: ExistingFolder,
    server: Server = DEFAULT_SERVER,
    workspace: Workspace = "default",
    env: Environments = None,
) -> None:
    """Show the differences between the server and the folder.

    Exit code 0: nothing; 1: something; 2: something is wrong; 3: both sides have changed something.
    """
    with _sync(folder, server, workspace, env) as sync:
        differences = sync.differences()
    for difference in differences:
        typer.echo(f"{difference.identity}: {difference.status}")
        typer.echo("".join(_lines(difference)), nl=False)
    if any(difference.status is Status.CONFLICT for difference in differences):
        sys.exit(CONFLICTS)
    if differences:
        sys.exit(DIFFERENT)


def check(folder: ExistingFolder) -> None:
    """Read all files of the folder, without a server. Exit code 0, or 2 if a file is invalid."""
    try:
        contents = Folder(folder).read()
    except (FolderError, OSError) as error:
        typer.echo(f"promptops: {error}", err=True)
        sys.exit(TROUBLE)
    typer.echo(f"{len(contents)} files are valid")


def schemas(folder: FolderPath) -> None:
    """Write JSON Schemas of the files into the folder, for editors that complete and check them."""
    write_schemas(folder)
    typer.echo(f"Wrote the schemas to {folder}")


def watch(
    folder: FolderPath,
    server: Server = DEFAULT_SERVER,
    workspace: Workspace = "default",
    env: Environments = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Also publish what is saved in the folder.")
    ] = False,
) -> None:
    """Synchronize folder and server in both directions until Ctrl-C. What has changed on both sides
    is left alone, and nothing is deleted."""
    token = token_of_settings()
    remote = Remote(server, token, workspace, tuple(env or ()))
    address = f"ws{remote.server.removeprefix('http')}/ws?client=cli&app=promptops-watch"
    watching = Watch(
        folder, lambda say: Sync(Folder(folder), remote, say), address, token, typer.echo
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: watching.stop())
    watching.run(SyncOptions(publish=publish))
    remote.close()


def token_of_settings() -> str:
    """Return the token; by default that of a new server, as in the SDKs."""
    return os.environ.get("PROMPTOPS_TOKEN") or DEFAULT_TOKEN


@contextmanager
def _sync(folder: Path, server: str, workspace: str, envs: list[str] | None) -> Iterator[Sync]:
    """Ends the program with one sentence if folder or server can't be used."""
    remote = Remote(server, token_of_settings(), workspace, tuple(envs or ()))
    try:
        yield Sync(Folder(folder), remote, typer.echo)
    except (FolderError, ServerError, OSError) as error:
        typer.echo(f"promptops: {error}", err=True)
        sys.exit(TROUBLE)
    finally:
        remote.close()


def _finish(report: Report, done: str) -> None:
    typer.echo(
        f"{report.changed} {done}, {report.left} left alone, {report.conflicts} in conflict, "
        f"{report.refused} refused"
    )
    if report.conflicts:
        sys.exit(CONFLICTS)
    if report.refused:
        sys.exit(TROUBLE)


def _lines(difference: Difference) -> Iterator[str]:
    there = None if difference.there is None else difference.there.content
    texts = [_file(difference.identity, content) for content in (there, difference.here)]
    return difflib.unified_diff(texts[0], texts[1], "server", "folder")


def _file(identity: Identity, content: Content | None) -> list[str]:
    if content is None:
        return []
    return text_of(identity, content).splitlines(keepends=True)
