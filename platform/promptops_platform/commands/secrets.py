"""`promptops rotate-secrets`."""

from typing import Annotated

import typer

from promptops_platform.commands.registry import carry_out
from promptops_platform.composition import Platform
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.workspaces.holdings import listed


def rotate_secrets(
    forget_unreadable: Annotated[
        bool, typer.Option(help="Remove what can't be read because its secret key is lost.")
    ] = False,
) -> None:
    """Encrypt stored keys of model providers and sealed conversations anew, with the first of
    PROMPTOPS_SECRET_KEY."""

    async def rotate(platform: Platform, transaction: Transaction) -> None:
        rotation = await platform.connections.rotate(transaction, forget=forget_unreadable)
        resealed = await platform.conversations.rotate(transaction, forget=forget_unreadable)
        renewed = {"key": rotation.renewed}
        if resealed.turns:
            renewed["message"] = resealed.turns
        said = f"Encrypted {listed(renewed)} anew"
        if rotation.unreadable:
            named = ", ".join(row.name for row in rotation.unreadable)
            said += f", and forgot those of {named}"
        if resealed.deleted:
            said += f"; deleted {listed({'unreadable conversation': resealed.deleted})}"
        transaction.after_commit(lambda: _say(f"{said}."))

    carry_out(rotate)


async def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
