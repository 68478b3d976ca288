"""`promptops import ...`: import prompts, agents and workflows from elsewhere."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from promptops_platform.as_code.remote import ServerError
from promptops_platform.commands.as_code import (
    CONFLICTS,
    DEFAULT_SERVER,
    DIFFERENT,
    TROUBLE,
    Server,
    Workspace,
    token_of_settings,
)
from promptops_platform.imports import folders, openai_prompts, promptops_server
from promptops_platform.imports.contents import ImportedContents, SourceError
from promptops_platform.imports.langfuse import Langfuse
from promptops_platform.imports.running import Import, Outcome
from promptops_platform.imports.target import Target

imports = typer.Typer(
    help="Import prompts, agents and workflows from elsewhere. Prints what it would do; --yes does "
    "it. The target's token comes from PROMPTOPS_TOKEN.",
    no_args_is_help=True,
)

Yes = Annotated[
    bool, typer.Option("--yes", help="Import; by default, only print what it would do.")
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace what somebody has changed in the target.")
]
Env = Annotated[str, typer.Option("--env", help="Environment of prompts without one.")]


@imports.command("promptops")
def import_promptops(
    url: Annotated[str, typer.Argument(help="Address of the existing server.", metavar="URL")],
    server: Server = DEFAULT_SERVER,
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Import all workspaces of an existing PromptOps server, with versions and rollouts. Its token
    comes from PROMPTOPS_SOURCE_TOKEN."""
    token = os.environ.get("PROMPTOPS_SOURCE_TOKEN", "")
    _carry_out(
        lambda: promptops_server.read_server(url, token), (server, "default"), yes=yes, force=force
    )


@imports.command("langfuse")
def import_langfuse(
    url: Annotated[str, typer.Argument(help="Such as https://cloud.langfuse.com.", metavar="URL")],
    server: Server = DEFAULT_SERVER,
    workspace: Workspace = "default",
    label: Annotated[
        list[str] | None,
        typer.Option(help="LABEL=ENV, may be repeated; production=prod and latest=dev are set."),
    ] = None,
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Import the prompts of a Langfuse project, with versions; labels become environments. Its keys
    come from LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY."""
    public_key = os.environ.get("LANGFUSE_PUBLIC_KEY", "")
    secret_key = os.environ.get("LANGFUSE_SECRET_KEY", "")
    source = Langfuse(url, public_key, secret_key, _environments(label or []))
    _carry_out(source.read, (server, workspace), yes=yes, force=force)


@imports.command("openai")
def import_openai(
    file: Annotated[Path, typer.Argument(help="A .json or .py file.", metavar="FILE")],
    server: Server = DEFAULT_SERVER,
    workspace: Workspace = "default",
    env: Env = "dev",
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Import prompts of OpenAI: prompt objects as JSON, or the calls of its API in Python
    source."""
    _carry_out(
        lambda: openai_prompts.read_file(file, env), (server, workspace), yes=yes, force=force
    )


@imports.command("folder")
def import_folder(
    path: Annotated[Path, typer.Argument(help="The folder with the files.", metavar="PATH")],
    server: Server = DEFAULT_SERVER,
    workspace: Workspace = "default",
    env: Env = "dev",
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Import a folder that `promptops pull` has written, or one with dotprompt and Prompty
    files."""
    _carry_out(lambda: folders.read_folder(path, env), (server, workspace), yes=yes, force=force)


def _carry_out(
    read: Callable[[], ImportedContents], place: tuple[str, str], *, yes: bool, force: bool
) -> None:
    target = Target(place[0], token_of_settings(), place[1])
    try:
        outcome = Import(read(), target, typer.echo, force=force).run(dry_run=not yes)
    except (SourceError, ServerError, OSError) as error:
        typer.echo(f"promptops: {error}", err=True)
        sys.exit(TROUBLE)
    finally:
        target.close()
    _finish(outcome, is_done=yes)


def _finish(outcome: Outcome, *, is_done: bool) -> None:
    typer.echo(
        f"{outcome.written} {'imported' if is_done else 'would be imported'}, {outcome.same} the "
        f"same, {outcome.left} left alone, {outcome.refused} refused"
    )
    if outcome.refused:
        sys.exit(TROUBLE)
    if outcome.left:
        sys.exit(CONFLICTS)
    if outcome.written and not is_done:
        typer.echo("Nothing was changed. Add --yes to import.")
        sys.exit(DIFFERENT)


def _environments(labels: list[str]) -> Mapping[str, str]:
    environments = {}
    for text in labels:
        name, separator, env = text.partition("=")
        if not (name and separator and env):
            typer.echo(f"promptops: --label {text!r} is not LABEL=ENV", err=True)
            sys.exit(TROUBLE)
        environments[name] = env
    return environments
