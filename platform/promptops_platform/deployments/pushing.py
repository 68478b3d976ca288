"""Sends changed deployments to Prefect, and repeats that until Prefect has them."""

import asyncio
from collections.abc import Iterable

import structlog

from promptops_flows.processes.waiting import end_tasks, happens_within
from promptops_flows.protocol.deployment_messages import (
    DeleteDeployment,
    DeleteTimer,
    DeploymentStored,
    Owner,
    PutDeployment,
    PutTimer,
    Timer,
)
from promptops_flows.protocol.engine_client import EngineClient, EngineError, EngineRefused
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.deployments import repository
from promptops_platform.deployments.kinds import DeploymentKinds
from promptops_platform.deployments.tables import PrefectDeploymentRow
from promptops_platform.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 1.0


class DeploymentPushes:
    """Sends them one after the other, each in its current state of the database."""

    def __init__(
        self, *, database: Database, engine: EngineClient, kinds: DeploymentKinds, work_pool: str
    ) -> None:
        self._database = database
        self._engine = engine
        self._kinds = kinds
        self._work_pool = work_pool
        # Why Prefect refuses some.
        self.problems: dict[Owner, str] = {}
        # In the order of their changes; kept until Prefect has them.
        self._changed: dict[Owner, None] = {}
        # Whether the last attempt failed because the engine, Prefect or the database was
        # unavailable.
        self._is_unavailable = False
        self._attempts: dict[Owner, asyncio.Event] = {}
        self._has_changes = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start sending changes."""
        self._task = asyncio.create_task(self._push_forever(), name="deployment-pushes")

    async def stop(self) -> None:
        """Stop; changes that Prefect does not have yet are sent after the next start."""
        if self._task is not None:
            await end_tasks(self._task)
            self._task = None

    def add(self, *owners: Owner) -> None:
        """Send these as soon as Prefect accepts them."""
        for owner in owners:
            self._changed.pop(owner, None)
            self._changed[owner] = None
        if owners:
            self._has_changes.set()

    async def attempted(self, owner: Owner, seconds: float) -> None:
        """Wait, at most `seconds`, until an attempt to send this one was made."""
        if self._task is not None and owner in self._changed and not self._is_unavailable:
            attempt = self._attempts.setdefault(owner, asyncio.Event())
            await happens_within(attempt, seconds)

    def clear(self) -> None:
        """Forget all changes, because they have just been sent in another way."""
        self._changed.clear()

    @property
    def waiting(self) -> int:
        """Return how many changes Prefect does not have yet."""
        return len(self._changed)

    async def _push_forever(self) -> None:
        while True:
            await self._has_changes.wait()
            self._has_changes.clear()
            for owner in list(self._changed):
                # Before it is read, because another change adds it again.
                self._changed.pop(owner, None)
                is_sent = await self._push(owner)
                self._is_unavailable = not is_sent
                self._mark_attempted([owner] if is_sent else list(self._attempts))
                if not is_sent:
                    self.add(owner)
                    await asyncio.sleep(AGAIN_SECONDS)
                    break

    def _mark_attempted(self, owners: Iterable[Owner]) -> None:
        """End the waiting for an attempt with these."""
        for owner in owners:
            if attempt := self._attempts.pop(owner, None):
                attempt.set()

    async def _push(self, owner: Owner) -> bool:
        """Return False if it has to be tried again."""
        self.problems.pop(owner, None)
        try:
            if owner.kind in self._kinds.timers:
                await self._push_timer(owner)
            else:
                await self._push_deployment(owner)
        except EngineRefused as error:
            self.problems[owner] = error.reason
            log.error("deployment_refused", kind=owner.kind, ref=owner.ref, reason=error.reason)
        except (EngineError, DatabaseUnavailable):
            return False
        except Exception:
            # Another room's error must not keep other changes from being sent.
            log.exception("deployment_not_put", kind=owner.kind, ref=owner.ref)
        return True

    async def _push_timer(self, owner: Owner) -> None:
        async with self._database.read() as transaction:
            row = await repository.find_timer(transaction.session, owner.kind, owner.ref)
        if row is None:
            await self._engine.ask(DeleteTimer(self._work_pool, owner))
        else:
            timer = Timer(owner, row.at.isoformat())
            await self._engine.ask(PutTimer(self._work_pool, timer))

    async def _push_deployment(self, owner: Owner) -> None:
        handler = self._kinds.handlers[owner.kind]
        async with self._database.read() as transaction:
            deployment = await handler.deployment(transaction, owner.ref)
            held = await repository.find_deployments(transaction.session, owner.kind, [owner.ref])
        if deployment is None and not held:
            return
        if deployment is None:
            await self._engine.ask(DeleteDeployment(self._work_pool, owner))
        else:
            stored = await self._engine.ask(PutDeployment(self._work_pool, deployment))
        async with self._database.write(background=True) as transaction:
            if deployment is None:
                await repository.forget_deployment(transaction.session, owner.kind, owner.ref)
            elif isinstance(stored, DeploymentStored):
                row = PrefectDeploymentRow(
                    kind=owner.kind,
                    ref=owner.ref,
                    deployment_id=stored.deployment_id,
                    url=stored.url,
                )
                await repository.store_deployments(transaction.session, [row])
            # Another replica may have sent an older state meanwhile.
            now = await handler.deployment(transaction, owner.ref)
        if now != deployment:
            self.add(owner)


def pushing(pushes: DeploymentPushes, transaction: Transaction, owner: Owner) -> None:
    """Send it after the transaction's commit."""

    async def add() -> None:
        pushes.add(owner)

    transaction.after_commit(add)
