"""`promptops rotate-secrets`."""

from typing import Annotated

import typer

from promptops_platform.commands.registry_database import carry_out
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.lifecycle import Platform
from promptops_platform.workspaces.contents import listed


def rotate_secrets(
    forget_unreadable: Annotated[
        bool, typer.Option(help="Remove what can't be read because its secret key is lost.")
    ] = False,
) -> None:
    """Encrypt stored secrets again, with the first key in PROMPTOPS_SECRET_KEY.

    These are keys of model providers, and sealed conversations, checkpoints, answers and approvals.
    """

    async def rotate(platform: Platform, transaction: Transaction) -> None:
        rotation = await platform.providers.service.rotate(transaction, forget=forget_unreadable)
        resealed = await platform.agents.conversations.rotate(transaction, forget=forget_unreadable)
        runs = await platform.execution.stored.rotate(transaction, forget=forget_unreadable)
        webhooks, disabled = await platform.triggers.service.reseal(
            transaction, forget=forget_unreadable
        )
        answers = await platform.execution.idempotent.rotate(transaction)
        messages = await platform.approvals.messages.rotate(transaction)
        others = {
            "message": resealed.turns,
            "checkpoint": runs.texts,
            "webhook secret": webhooks,
            "answer": answers,
            "approval": messages,
        }
        some = {noun: number for noun, number in others.items() if number}
        renewed = {"key": rotation.renewed, **some}
        summary = f"Encrypted {listed(renewed)} again"
        if rotation.unreadable:
            names = ", ".join(row.name for row in rotation.unreadable)
            summary += f", and forgot those of {names}"
        if resealed.deleted:
            summary += f"; deleted {listed({'unreadable conversation': resealed.deleted})}"
        if runs.deleted:
            unreadable = listed({"run": runs.deleted})
            summary += f"; deleted the unreadable checkpoints of {unreadable}"
        if disabled:
            summary += f"; gave the triggers {', '.join(disabled)} other secrets and disabled them"
        transaction.after_commit(lambda: _say(f"{summary}."))

    carry_out(rotate)


async def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
