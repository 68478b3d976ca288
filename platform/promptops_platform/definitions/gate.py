"""The gate that every change to what is served passes before it is made."""

from dataclasses import dataclass

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.approvals import ApprovalsNeeded, ServedChange
from promptops_platform.workspaces.tables import EnvironmentRow


@dataclass(frozen=True, slots=True)
class GatePass:
    """What a transaction may change without another check.

    `approvals` is the number of approvals that the change has; None is as many as any environment
    requires. A `trial` is rolled back afterwards, so it passes protected environments too.
    """

    approvals: int | None = None
    trial: bool = False


NO_PASS = GatePass(approvals=0)


class ServedGate:
    """Allows or refuses a change. Nothing else may decide what is served."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants

    def open(self, transaction: Transaction, gate_pass: GatePass) -> None:
        """Allow the changes of this transaction that the pass covers."""
        transaction.notes[self] = gate_pass

    def admit(
        self,
        change: ServedChange,
        environment: EnvironmentRow | None,
        transaction: Transaction,
        *,
        actor: Actor,
    ) -> None:
        """Raises ApprovalsNeeded if the environment requires more approvals than the transaction
        has, and Forbidden if it is protected and the caller isn't an admin.

        `environment` is the row of `change.env`, None if the change adds the environment. Call this
        before the change is made, in its transaction.
        """
        if environment is None:
            return
        gate_pass: GatePass = transaction.notes.get(self, NO_PASS)
        if change.needs_approvals and _is_short(gate_pass, environment):
            raise ApprovalsNeeded(change, environment.approvals)
        if environment.protected and not gate_pass.trial:
            self._grants.require(actor, Permission.PROMPTS_PROTECTED, change.workspace_id)


def _is_short(gate_pass: GatePass, environment: EnvironmentRow) -> bool:
    return gate_pass.approvals is not None and gate_pass.approvals < environment.approvals
