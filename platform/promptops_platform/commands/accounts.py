"""`promptops key ...` and `promptops set-password`."""

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from promptops_platform.access.actor import COMMAND_LINE
from promptops_platform.access.key_repository import StoredKey
from promptops_platform.access.permissions import Role
from promptops_platform.access.schemas import ApiKeyCreate, UserUpdate
from promptops_platform.access.tables import ApiKeyRow
from promptops_platform.commands.registry_database import carry_out
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, NotFound
from promptops_platform.lifecycle import Platform

DURATION = re.compile(r"([1-9][0-9]{0,4})([mhd])")
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

keys = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    role: Annotated[
        Role, typer.Option(help="`sdk` may only fetch and watch, `metrics` only read /metrics.")
    ] = Role.SDK,
    workspace: Annotated[
        str | None, typer.Option(help="Id or slug of a workspace; by default all open ones.")
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option(help="By default all environments; may be repeated.")
    ] = None,
    expires_in: Annotated[str | None, typer.Option(help="Such as 90d, 12h or 30m.")] = None,
    manage_accounts: Annotated[
        bool, typer.Option("--manage-accounts", help="Let the key create accounts and members.")
    ] = False,
) -> None:
    """Create an API key and print it. The key is shown only once."""

    async def create(platform: Platform, transaction: Transaction) -> None:
        fields = ApiKeyCreate(
            name=name,
            role=role,
            workspace=workspace,
            environments=env or [],
            expires_at=_expiry(expires_in),
            manage_accounts=manage_accounts,
        )
        row, key = await platform.access.keys.create(
            transaction, actor=COMMAND_LINE, **fields.model_dump()
        )
        transaction.after_commit(lambda: _print_new(row, key))

    carry_out(create)


@keys.command("list")
def list_keys(
    prefix: Annotated[str | None, typer.Option(help="The beginning of the key.")] = None,
    workspace: Annotated[str | None, typer.Option(help="Id or slug.")] = None,
) -> None:
    """List the API keys, newest first."""

    async def show(platform: Platform, transaction: Transaction) -> None:
        keys, _ = await platform.access.keys.search(
            transaction, actor=COMMAND_LINE, workspace=workspace, prefix=prefix, text=None
        )
        for key in keys:
            typer.echo("\t".join(_columns(key)))

    carry_out(show)


@keys.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="The beginning of the key, or its id.", metavar="KEY")],
) -> None:
    """Revoke an API key. Within a second it is refused and its connections are closed."""

    async def revoke(platform: Platform, transaction: Transaction) -> None:
        row = await _matching_key(platform, transaction, key)
        await platform.access.keys.revoke(transaction, row.id, actor=COMMAND_LINE)
        typer.echo(f"Revoked {row.prefix}… ({row.name}).", err=True)

    carry_out(revoke)


def set_password(user: Annotated[str, typer.Argument(help="Name of the account.")]) -> None:
    """Change the password of an account and end its sessions.

    The command asks for the password, or reads it from the standard input.
    """

    async def change(platform: Platform, transaction: Transaction) -> None:
        password = UserUpdate(password=_asked_password()).password
        if not password:
            raise BadRequest("the password is empty; enter one")
        await platform.access.users.set_password(transaction, user, password, actor=COMMAND_LINE)
        typer.echo(f"Changed the password of {user}; its sessions have ended.", err=True)

    carry_out(change)


async def _print_new(row: ApiKeyRow, key: str) -> None:
    typer.echo(key)
    typer.echo(
        f"Created {row.prefix}… ({row.name}), role {row.role}. It is not shown again.", err=True
    )


async def _matching_key(platform: Platform, transaction: Transaction, key: str) -> ApiKeyRow:
    """Return the only key that begins with this text or has this id."""
    keys, _ = await platform.access.keys.search(
        transaction, actor=COMMAND_LINE, workspace=None, prefix=None, text=None
    )
    rows = [key.row for key in keys]
    matching = [
        row for row in rows if row.id == key or row.prefix.startswith(key[: len(row.prefix)])
    ]
    if not key or not matching:
        raise NotFound(f"no API key begins with {key[:16]!r}; promptops key list shows them")
    if len(matching) > 1:
        raise BadRequest(
            f"{len(matching)} API keys begin with {key[:16]!r}; give more characters, or an id"
        )
    return matching[0]


def _columns(key: StoredKey) -> list[str]:
    row = key.row
    return [
        row.id,
        f"{row.prefix}…",
        row.name,
        _shown_role(key),
        f"workspace {row.workspace_id}" if row.workspace_id else "all open workspaces",
        ",".join(row.environments) or "all environments",
        f"expires {_shown(row.expires_at)}" if row.expires_at else "never expires",
        f"last used {_shown(row.last_used_at)}" if row.last_used_at else "never used",
        f"made by {row.created_by} ({row.maker_kind})",
        *(["manages accounts"] if row.manage_accounts else []),
    ]


def _shown_role(key: StoredKey) -> str:
    """Return the key's role, and its effective role if that is lower."""
    if key.effective_role == key.row.role:
        return key.row.role
    return f"{key.row.role} (now {key.effective_role or 'refused'})"


def _shown(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def _expiry(text: str | None) -> datetime | None:
    if text is None:
        return None
    match = DURATION.fullmatch(text)
    if match is None:
        raise BadRequest(f"--expires-in: {text!r} is not a duration; write it like 90d, 12h or 30m")
    return datetime.now(UTC) + int(match[1]) * UNITS[match[2]]


def _asked_password() -> str:
    """Prompt for it: as an argument, everybody on the machine could read it."""
    if sys.stdin.isatty():
        return str(typer.prompt("New password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")
