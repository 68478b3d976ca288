"""The deployments of triggers in Prefect, and the handling of their flow runs."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from promptops_flows.protocol.deployment_messages import Deployment, Owner
from promptops_platform.access.actor import SYSTEM
from promptops_platform.db.pages import WHOLE
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.deployments.claims import FlowRunClaims
from promptops_platform.deployments.kinds import DueAnswer, DueRun, done, refused, taken
from promptops_platform.errors import BadRequest, Conflict, Forbidden, NotFound, SecretUnreadable
from promptops_platform.execution.detached import Also
from promptops_platform.runlog.tables import RunRow
from promptops_platform.triggers import repository
from promptops_platform.triggers.mirror import is_active
from promptops_platform.triggers.service import DISABLED, KIND, TriggerService
from promptops_platform.triggers.states import FiringState
from promptops_platform.triggers.tables import FiringRow, TriggerRow
from promptops_platform.triggers.targets import definition_of
from promptops_platform.triggers.templates import UnusableEvent
from promptops_platform.workspaces.service import WorkspaceService

Start = Callable[[TriggerRow, FiringRow, dict[str, Any], DueRun, Also], Awaitable[None]]


class _AlreadyStarted(Exception):
    """Another flow run has already started the firing's run."""


class TriggerDeployments:
    """`start_run` and `start_delivery` start the action of a trigger."""

    def __init__(
        self,
        *,
        database: Database,
        triggers: TriggerService,
        workspaces: WorkspaceService,
        claims: FlowRunClaims,
        start_run: Start,
        start_delivery: Start,
    ) -> None:
        self._database = database
        self._triggers = triggers
        self._workspaces = workspaces
        self._claims = claims
        self._start_run = start_run
        self._start_delivery = start_delivery

    async def deployments(self, transaction: Transaction) -> list[Deployment]:
        """Return the deployments of all triggers, including disabled ones."""
        rows = await repository.all_triggers(transaction.session)
        workspaces, _ = await self._workspaces.search(transaction, None, WHOLE, actor=SYSTEM)
        slugs = {workspace.id: workspace.slug for workspace in workspaces}
        return [deployment_of(row, slugs[row.workspace_id]) for row in rows]

    async def deployment(self, transaction: Transaction, ref: str) -> Deployment | None:
        """Return the deployment of one trigger; None if the trigger is deleted."""
        row = await repository.get(transaction.session, ref)
        if row is None:
            return None
        workspace = await self._workspaces.find(transaction, row.workspace_id, actor=SYSTEM)
        return deployment_of(row, workspace.slug)

    async def paused(self, ref: str, *, paused: bool) -> None:
        """Apply that somebody has paused or resumed the trigger in Prefect."""
        async with self._database.write() as transaction:
            await self._triggers.enable(transaction, ref, not paused)

    async def due(self, due: DueRun) -> DueAnswer:
        """Start the action of the firing, once."""
        firing_id = due.parameters.get("event")
        if not isinstance(firing_id, str) or not firing_id:
            return refused("A trigger runs when its event happens; see its deliveries in PromptOps")
        async with self._database.read() as transaction:
            firing = await repository.get_firing(transaction.session, firing_id)
            trigger = await repository.get(transaction.session, due.ref)
        if firing is None or trigger is None or firing.trigger_id != trigger.id:
            return refused("The trigger or its event has been deleted")
        if firing.state != "waiting":
            return done("Another flow run was started for this event")
        if not is_active(trigger):
            await self._give_up(firing, "stopped", DISABLED)
            return refused(DISABLED)
        return await self._started(trigger, firing, due)

    async def _started(self, trigger: TriggerRow, firing: FiringRow, due: DueRun) -> DueAnswer:
        start = self._start_delivery if "url" in trigger.action else self._start_run
        event = json.loads(firing.event or "{}")
        try:
            await start(trigger, firing, event, due, self._claiming(firing, due))
        except _AlreadyStarted:
            return done("Another flow run was started for this event")
        except (BadRequest, Conflict, Forbidden, NotFound, SecretUnreadable) as error:
            await self._give_up(firing, "failed", error.sentence)
            return refused(error.sentence)
        except UnusableEvent as error:
            await self._give_up(firing, "failed", str(error))
            return refused(str(error))
        return taken()

    def _claiming(self, firing: FiringRow, due: DueRun) -> Also:
        claim_flow_run = self._claims.claiming(due)

        async def claim(transaction: Transaction, run: RunRow) -> None:
            await claim_flow_run(transaction, run)
            if not await repository.claim(
                transaction.session, firing.id, state="started", run_id=run.id
            ):
                raise _AlreadyStarted

        return claim

    async def _give_up(self, firing: FiringRow, state: FiringState, reason: str) -> None:
        async with self._database.write() as transaction:
            await self._triggers.give_up(transaction, firing, state, reason)


def deployment_of(row: TriggerRow, slug: str) -> Deployment:
    """Return the deployment for Prefect. The platform never pauses it, because a disabled trigger
    doesn't fire."""
    delivers = "url" in row.action
    event = "webhook" if row.condition.get("webhook") else row.condition["event"]
    return Deployment(
        owner=Owner(KIND, row.id),
        name=row.key,
        workspace=slug,
        key=row.key if delivers else definition_of(row.action)[1],
        tags=("trigger", event),
        description=f"Trigger {row.key}: {'delivers a webhook' if delivers else 'runs'} on {event}",
    )
