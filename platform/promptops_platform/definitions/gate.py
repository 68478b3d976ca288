"""The gate of what is served: each change of it passes here before it is made."""

from dataclasses import dataclass

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.approvals import ApprovalsNeeded, ServedChange
from promptops_platform.workspaces.tables import EnvironmentRow


@dataclass(frozen=True, slots=True)
class GatePass:
    """What a transaction may change without asking again.

    `approvals` is how many the change has; None is as many as any environment asks for. A `trial`
    is rolled back afterwards, so it passes protected environments too.
    """

    approvals: int | None = None
    trial: bool = False


NO_PASS = GatePass(approvals=0)


class ServedGate:
    """Lets a change through, or refuses it. Nothing else may decide what is served."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants

    def open(self, transaction: Transaction, gate_pass: GatePass) -> None:
        """Let the changes of this transaction through that the pass covers."""
        transaction.notes[self] = gate_pass

    def admit(
        self,
        change: ServedChange,
        environment: EnvironmentRow | None,
        transaction: Transaction,
        *,
        actor: Actor,
    ) -> None:
        """Raises ApprovalsNeeded where the environment asks for more than the transaction has, and
        Forbidden where it is protected and the caller no admin.

        `environment` is the row of `change.env`, None for one that the change adds. Call this
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
