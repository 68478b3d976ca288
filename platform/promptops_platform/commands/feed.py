"""`promptops resync`."""

import typer

from promptops_platform.commands.registry_database import carry_out
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.lifecycle import Platform


def resync() -> None:
    """Make all watching programs fetch their prompts again, after you restored the database."""

    async def renew(platform: Platform, transaction: Transaction) -> None:
        await platform.changes.log.renew_epoch(transaction)
        transaction.after_commit(_say)

    carry_out(renew)


async def _say() -> None:
    typer.echo("All watching programs fetch their prompts again.", err=True)
