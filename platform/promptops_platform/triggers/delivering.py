"""Webhook deliveries: runs of one step that signs and sends a message."""

import json
from collections.abc import Mapping
from typing import Any

from promptops_flows.protocol.engine_client import RunRequest
from promptops_flows.steps.deliver import Deliver
from promptops_flows.steps.models import Receiver
from promptops_flows.steps.plans import WorkflowPlan
from promptops_flows.steps.policy import StepPolicy
from promptops_flows.steps.step import Step
from promptops_platform.access.actor import SYSTEM, Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.deployments.kinds import DueRun
from promptops_platform.errors import NotFound
from promptops_platform.execution.detached import Also, DetachedRuns
from promptops_platform.execution.followers import RunFollower, RunOutcome
from promptops_platform.execution.order import RunOrder
from promptops_platform.execution.subjects import same_order
from promptops_platform.ids import new_id
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.tables import RunRow
from promptops_platform.triggers import repository
from promptops_platform.triggers.firing import chain_after
from promptops_platform.triggers.running import actor_of_trigger
from promptops_platform.triggers.secrets import TriggerSecrets
from promptops_platform.triggers.tables import FiringRow, TriggerRow
from promptops_platform.workspaces.service import WorkspaceService

SOURCE = "delivery"
# With a delay that starts at a second and doubles, these take about a minute.
RETRIES = 6
LONGEST_ANSWER = 2_000
ENVELOPE_FIELDS = ("type", "time")


class Deliveries:
    """Starts deliveries, and provides what the execution needs to continue them. Address and secret
    are looked up for each attempt, and are never stored with the run."""

    run_permission = Permission.TRIGGERS_WRITE

    def __init__(
        self,
        *,
        database: Database,
        workspaces: WorkspaceService,
        secrets: TriggerSecrets,
        detached: DetachedRuns,
        runs: RunLog,
        clock: Clock,
    ) -> None:
        self._database = database
        self._workspaces = workspaces
        self._secrets = secrets
        self._detached = detached
        self._runs = runs
        self._clock = clock

    async def start(
        self,
        trigger: TriggerRow,
        firing: FiringRow,
        event: dict[str, Any],
        due: DueRun,
        also: Also,
    ) -> None:
        """Record the run; it starts when its turn comes. Raises TooManyRequests."""
        async with self._database.read() as transaction:
            workspace = await self._workspaces.find(transaction, trigger.workspace_id, actor=SYSTEM)
        step = Deliver(firing.message_id, body_of(event))
        request = RunRequest(
            run_id=new_id(),
            workspace=workspace.slug,
            key=trigger.key,
            name=trigger.key,
            version="1",
            plan=WorkflowPlan((Step("deliver", step, policy=StepPolicy(retries=RETRIES)),)),
            variables={},
            source=SOURCE,
        )
        actor = actor_of_trigger(trigger)
        order = RunOrder(
            request,
            workspace_id=trigger.workspace_id,
            caller_id=actor.caller_id,
            user=actor.name,
            inputs={"event": firing.event_type, "message_id": firing.message_id},
            causes=chain_after(trigger.id, firing.causes),
        )
        await self._detached.submit(due.on(order), self._follower(firing.id), also=also)

    def follower(self, _run_id: str, kept: Mapping[str, Any] | None) -> RunFollower:
        """Return the follower that records the delivery's result."""
        return self._follower(str((kept or {}).get("firing", "")))

    async def replan(
        self,
        _transaction: Transaction,
        old: RunRow,
        request: RunRequest,
        _version: int | None,
        *,
        actor: Actor,
    ) -> RunOrder | None:
        """Plan the same message again: a delivery has no versions."""
        return same_order(old, request, actor)

    async def receiver(self, transaction: Transaction, kept: Mapping[str, Any] | None) -> Receiver:
        """Return where the delivery goes now; raises NotFound if its trigger is deleted or no
        longer delivers webhooks, and SecretUnreadable."""
        firing_id = str((kept or {}).get("firing", ""))
        firing = await repository.get_firing(transaction.session, firing_id)
        trigger = None
        if firing is not None:
            trigger = await repository.get(transaction.session, firing.trigger_id)
        if trigger is None or "url" not in trigger.action:
            raise NotFound(
                "the trigger of this delivery was deleted or no longer delivers webhooks"
            )
        return Receiver(trigger.action["url"], self._secrets.valid_secrets(trigger))

    def _follower(self, firing_id: str) -> "DeliveryFollower":
        return DeliveryFollower(firing_id, self._runs, self._clock)


class DeliveryFollower(RunFollower):
    """Records the result of a delivery, within the limits for storing texts."""

    def __init__(self, firing_id: str, runs: RunLog, clock: Clock) -> None:
        self._firing_id = firing_id
        self._runs = runs
        self._clock = clock

    @property
    def kept(self) -> dict[str, Any] | None:
        return {"firing": self._firing_id}

    async def close(self, transaction: Transaction, outcome: RunOutcome) -> None:
        row = await repository.get_firing(transaction.session, self._firing_id, lock=True)
        if row is None:
            return
        texts, end = self._runs.text_policy, outcome.end
        row.run_id, row.ended_at = outcome.run_id, self._clock.now()
        row.state = "delivered" if end.status == "ok" else "failed"
        row.error = texts.stored(end.error or "", end.summary)
        failures = [
            texts.stored(failure, summary)
            for step in outcome.steps
            for failure, summary in zip(step.failures, step.failure_summaries, strict=False)
        ]
        row.attempts = [
            {"number": number, "error": failure} for number, failure in enumerate(failures, 1)
        ]
        if end.status == "ok":
            answer = json.loads(end.output or "{}")
            row.answer_status = answer.get("status")
            row.answer = (texts.text(str(answer.get("answer", ""))) or "")[:LONGEST_ANSWER]
        if not texts.keeps_texts:
            row.event = None


def body_of(event: Mapping[str, Any]) -> str:
    """Return the payload that the specification recommends: `type`, `timestamp` and `data`."""
    data = {name: value for name, value in event.items() if name not in ENVELOPE_FIELDS}
    whole = {"type": event.get("type", ""), "timestamp": event.get("time", ""), "data": data}
    return json.dumps(whole, separators=(",", ":"))
