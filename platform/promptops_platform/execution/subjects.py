"""What the execution needs of the rooms above it, of whose definitions runs are."""

from collections.abc import Mapping
from typing import Any, Protocol

from promptops_flows.protocol.engine_client import RunRequest
from promptops_flows.steps.models import Connection, Receiver
from promptops_flows.steps.plans import AgentPlan, WorkflowPlan
from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.execution.followers import RunFollower
from promptops_platform.execution.order import RunOrder
from promptops_platform.providers.lookup import ProviderLookup
from promptops_platform.runlog.tables import RunRow


def same_order(old: RunRow, request: RunRequest, actor: Actor) -> RunOrder:
    """A run once more as it was."""
    return RunOrder(
        request,
        old.workspace_id,
        actor.caller_id,
        user=actor.name,
        scope=old.scope,
        inputs=old.inputs,
        prompt=request.prompt,
    )


class RunSubject(Protocol):
    """The definitions of one source."""

    @property
    def run_permission(self) -> Permission:
        """Needed to run them."""

    def follower(self, run_id: str, kept: Mapping[str, Any] | None) -> RunFollower:
        """A follower in place of one that has kept this."""

    async def replan(
        self,
        transaction: Transaction,
        old: RunRow,
        request: RunRequest,
        version: int | None,
        *,
        actor: Actor,
    ) -> RunOrder | None:
        """A run once more, of this version where one is named; None where the definition is gone.
        Raises NotFound for an unknown version, Forbidden, BadRequest."""


class ReceiverSource(Protocol):
    """Knows where the deliveries of one source go."""

    async def receiver(self, transaction: Transaction, kept: Mapping[str, Any] | None) -> Receiver:
        """Of the run whose follower has kept this. Raises NotFound and SecretUnreadable."""


def providers_of(plan: WorkflowPlan | AgentPlan) -> frozenset[str]:
    """The names of the providers that a run may ask."""
    if isinstance(plan, WorkflowPlan):
        return plan.providers
    return frozenset(choice.provider for choice in plan.models)


def connections_of(
    plan: WorkflowPlan | AgentPlan, workspace_id: str, providers: ProviderLookup, *, actor: Actor
) -> tuple[Connection, ...]:
    """The workspace's connections that a plan uses; raises as `ProviderLookup.connected`."""
    targets = providers.connected(workspace_id, providers_of(plan), actor=actor)
    return tuple(Connection.of(target) for target in targets)
