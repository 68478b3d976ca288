"""`promptops rotate-secrets`."""

from typing import Annotated

import typer

from promptops_platform.commands.registry import carry_out
from promptops_platform.composition import Platform
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.workspaces.holdings import listed


def rotate_secrets(
    forget_unreadable: Annotated[
        bool, typer.Option(help="Remove stored keys whose secret key is lost.")
    ] = False,
) -> None:
    """Encrypt the stored keys of model providers anew, with the first of PROMPTOPS_SECRET_KEY."""

    async def rotate(platform: Platform, transaction: Transaction) -> None:
        rotation = await platform.connections.rotate(transaction, forget=forget_unreadable)
        said = f"Encrypted {listed({'key': rotation.renewed})} anew"
        if rotation.unreadable:
            named = ", ".join(row.name for row in rotation.unreadable)
            said += f", and forgot those of {named}"
        transaction.after_commit(lambda: _say(f"{said}."))

    carry_out(rotate)


async def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
