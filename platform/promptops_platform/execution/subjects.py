"""What execution needs of the rooms above it whose definitions are run."""

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
    """Return the order of an equal run."""
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
        """The permission that running them requires."""

    def follower(self, run_id: str, kept: Mapping[str, Any] | None) -> RunFollower:
        """Return a follower that continues from what an earlier one has kept."""

    async def replan(
        self,
        transaction: Transaction,
        old: RunRow,
        request: RunRequest,
        version: int | None,
        *,
        actor: Actor,
    ) -> RunOrder | None:
        """Return the order to run it again, with this version if given; None if the definition no
        longer exists. Raises NotFound for an unknown version, Forbidden, and BadRequest."""


class ReceiverSource(Protocol):
    """Knows where the deliveries of one source are sent."""

    async def receiver(self, transaction: Transaction, kept: Mapping[str, Any] | None) -> Receiver:
        """Return the receiver for a run whose follower has kept this. Raises NotFound and
        SecretUnreadable."""


def providers_of(plan: WorkflowPlan | AgentPlan) -> frozenset[str]:
    """Return the names of the providers that a run may call."""
    if isinstance(plan, WorkflowPlan):
        return plan.providers
    return frozenset(choice.provider for choice in plan.models)


def connections_of(
    plan: WorkflowPlan | AgentPlan, workspace_id: str, providers: ProviderLookup, *, actor: Actor
) -> tuple[Connection, ...]:
    """Return the workspace's connections that a plan uses; raises what `ProviderLookup.connected`
    raises."""
    targets = providers.connected(workspace_id, providers_of(plan), actor=actor)
    return tuple(Connection.of(target) for target in targets)
