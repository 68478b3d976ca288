"""The audit entries of rollouts."""

from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.audit.service import AuditTrail
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.prompts.tables import PromptRow
from promptops_platform.rollouts.tables import RolloutRow

# What the trail contains of a rollout; None if there is none.
Shown = dict[str, Any] | None


class RolloutAudit:
    """Writes entries in the transaction of the change."""

    def __init__(self, audit: AuditTrail) -> None:
        self._audit = audit

    def record(
        self,
        transaction: Transaction,
        prompt: PromptRow,
        rollout_id: str,
        actor: Actor,
        before: Shown,
        after: Shown,
    ) -> None:
        """Add the entry of a change; `before` and `after` come from `shown`."""
        self._audit.record(
            transaction,
            actor=actor,
            action="rollout",
            resource="rollout",
            resource_id=rollout_id,
            key=prompt.key,
            summary=f"{_summary(before, after)} in {prompt.env}",
            workspace_id=prompt.workspace_id,
            before=before,
            after=after,
        )


def shown(row: RolloutRow | None) -> Shown:
    """Return the rollout's current fields for the audit trail."""
    if row is None:
        return None
    return {"enabled": row.enabled, "variants": row.variants, "salt": row.salt}


def _summary(before: Shown, after: Shown) -> str:
    if after is None:
        return "removed the rollout"
    if before == after:
        return "saved the rollout unchanged"
    was_on = before is not None and before["enabled"]
    if was_on and not after["enabled"]:
        return "ended the rollout"
    done = "changed" if was_on else "started" if after["enabled"] else "saved"
    return f"{done} the rollout {_shares(after['variants'])}"


def _shares(variants: list[dict[str, Any]]) -> str:
    """`A v1 90 %, B v2 10 %`"""
    shares = (
        f"{variant['name']} {variant['version']} {variant['weight'] / 100:g} %"
        for variant in variants
    )
    return ", ".join(shares)
