"""Plans and checkpoints of runs, sealed and stored apart from the run log, which may be redacted or
switched off. They are deleted when a run can no longer continue."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from promptops_flows.protocol.engine_client import Checkpoint
from promptops_flows.telemetry.text_policy import TextPolicy
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import SecretUnreadable
from promptops_platform.execution import repository
from promptops_platform.execution.stored_plan import (
    StoredPlan,
    Unreadable,
    place_of,
    sealed_checkpoint,
    unsealed_checkpoint,
)
from promptops_platform.execution.tables import RunCheckpointRow, RunPlanRow
from promptops_platform.sealing import SecretKeys, Unsealable

BATCH = 100


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A plan and the checkpoints of the completed steps. `waits` counts how often the run continued
    after decisions; `flow_run_id` is its suspended flow run, if it has one."""

    plan: StoredPlan
    checkpoints: tuple[Checkpoint, ...]
    waits: int = 0
    flow_run_id: str | None = None


@dataclass(frozen=True, slots=True)
class ResealedRuns:
    """How many texts were sealed again, and the number of runs whose texts could not be read."""

    texts: int
    deleted: int


class StoredRuns:
    """Seals what runs need to continue."""

    def __init__(
        self, *, keys: SecretKeys, texts: TextPolicy, clock: Clock, retry_days: float
    ) -> None:
        self._keys = keys
        self._texts = texts
        self._clock = clock
        self._retry_days = retry_days

    @property
    def keeps_ended(self) -> bool:
        """Whether runs can be retried, which needs their texts."""
        return self._texts.keeps_texts

    async def sealed(self, plan: StoredPlan) -> str:
        """Seal a plan for `add`; called outside a transaction, since it may take a while."""
        return await asyncio.to_thread(plan.sealed, self._keys.sealer)

    async def sealed_checkpoints(
        self, run_id: str, checkpoints: Sequence[Checkpoint]
    ) -> list[RunCheckpointRow]:
        """Seal checkpoints as rows."""
        return await asyncio.to_thread(self._rows, run_id, checkpoints)

    async def add(
        self,
        transaction: Transaction,
        run_id: str,
        sealed: str,
        checkpoints: Sequence[RunCheckpointRow] = (),
    ) -> None:
        """Store the plan of a run that was added in this transaction."""
        # Flush the run first, because its plan refers to it.
        await transaction.session.flush()
        transaction.session.add_all([RunPlanRow(run_id=run_id, sealed=sealed), *checkpoints])

    async def add_checkpoints(
        self, transaction: Transaction, rows: Sequence[RunCheckpointRow]
    ) -> None:
        """Store the outputs of completed steps."""
        await repository.add_checkpoints(transaction.session, rows)

    async def load(self, transaction: Transaction, run_id: str) -> StoredRun | None:
        """Return what is stored of a run; None if nothing is. Raises SecretUnreadable."""
        row = await repository.plan(transaction.session, run_id)
        if row is None or row.sealed is None:
            return None
        rows = await repository.checkpoints(transaction.session, run_id)
        try:
            return await asyncio.to_thread(self._unsealed, row, rows)
        except (Unsealable, Unreadable) as error:
            raise SecretUnreadable(
                f"the checkpoints of run {run_id!r} can't be read: {error}; start a new run, or "
                "give this platform the secret key of the one that stored them"
            ) from error

    async def readable_plan(self, transaction: Transaction, run_id: str) -> StoredPlan | None:
        """Return the plan of a run; None also if it can't be read."""
        row = await repository.plan(transaction.session, run_id)
        if row is None or row.sealed is None:
            return None
        try:
            return await asyncio.to_thread(
                StoredPlan.unsealed, row.sealed, run_id, self._keys.sealer
            )
        except (Unsealable, Unreadable):
            return None

    async def find_by_flow_run(
        self, transaction: Transaction, flow_run_id: str
    ) -> tuple[str, bool] | None:
        """Return the run that a flow run in Prefect executed last, and whether it or its retry is
        active; None if nothing of it is stored."""
        return await repository.run_of_flow_run(transaction.session, flow_run_id)

    async def find_suspended(self, transaction: Transaction, flow_run_id: str) -> str | None:
        """Return the run of a suspended flow run."""
        return await repository.run_of_suspended(transaction.session, flow_run_id)

    async def lock_plan(self, transaction: Transaction, run_id: str) -> str | None:
        """Lock the plan of a run until the commit; return the run that the plan has moved to, if it
        has moved."""
        row = await repository.plan(transaction.session, run_id, lock=True)
        return None if row is None else row.retried_by

    async def suspend(
        self, transaction: Transaction, run_id: str, flow_run_id: str, sealed: str | None
    ) -> None:
        """Record that the run continues later, as this flow run; `sealed` replaces the stored
        plan."""
        row = await repository.plan(transaction.session, run_id, lock=True)
        if row is not None:
            row.flow_run_id = flow_run_id
            row.sealed = sealed or row.sealed

    async def go_on(self, transaction: Transaction, run_id: str) -> None:
        """The run gets another attempt after a decision."""
        row = await repository.plan(transaction.session, run_id, lock=True)
        if row is not None:
            row.waits += 1

    async def hand_over(self, transaction: Transaction, run_id: str) -> None:
        """The flow run is no longer suspended, or is about to end."""
        row = await repository.plan(transaction.session, run_id, lock=True)
        if row is not None:
            row.flow_run_id = None

    async def suspended_flow_run(self, transaction: Transaction, run_id: str) -> str | None:
        """Return the run's flow run, if it is suspended."""
        row = await repository.plan(transaction.session, run_id)
        return None if row is None else row.flow_run_id

    async def end(self, transaction: Transaction, run_id: str, *, completed: bool) -> None:
        """Delete what a run that ends in this transaction no longer needs."""
        if completed or not self.keeps_ended:
            await repository.forget(transaction.session, [run_id])

    async def drop_credentials(self, transaction: Transaction, plan: StoredPlan) -> None:
        """Replace the stored plan of a run that ends by one without the caller's credentials."""
        bare = plan.without_credentials
        row = await repository.plan(transaction.session, plan.request.run_id, lock=True)
        if bare is not plan and row is not None:
            row.sealed = await self.sealed(bare)

    async def move(
        self, transaction: Transaction, old_id: str, plan: StoredPlan, kept: Sequence[Checkpoint]
    ) -> None:
        """Move the plan and these checkpoints of an ended run to its retry, which was added in this
        transaction."""
        new_id = plan.request.run_id
        rows = await self.sealed_checkpoints(new_id, kept)
        await self.add(transaction, new_id, await self.sealed(plan), rows)
        old = await repository.plan(transaction.session, old_id, lock=True)
        if old is not None:
            old.sealed, old.retried_by = None, new_id
        await repository.forget_checkpoints(transaction.session, old_id)

    async def prune(self, transaction: Transaction) -> int:
        """Delete some of the data of runs that can no longer be retried; return the number of
        runs."""
        before = self._clock.now() - timedelta(days=self._retry_days) if self.keeps_ended else None
        run_ids = await repository.ended_with_plan(transaction.session, before, BATCH)
        if run_ids:
            await repository.forget(transaction.session, run_ids)
        return len(run_ids)

    async def forget_unkept(self, transaction: Transaction) -> None:
        """Delete the data of ended runs, if no texts may be kept."""
        if not self.keeps_ended:
            while run_ids := await repository.ended_with_plan(transaction.session, None, BATCH):
                await repository.forget(transaction.session, run_ids)

    async def rotate(self, transaction: Transaction, *, forget: bool) -> ResealedRuns:
        """Seal all texts again with the first secret key; raises SecretUnreadable if some can't be
        read, unless these are to be deleted."""
        texts, unreadable = 0, set[str]()
        async for plan in repository.all_plans(transaction.session):
            sealed = self._resealed(plan.sealed or "", place_of(plan.run_id))
            if sealed is None:
                unreadable.add(plan.run_id)
            else:
                plan.sealed, texts = sealed, texts + 1
        async for row in repository.all_checkpoints(transaction.session):
            sealed = self._resealed(row.sealed, place_of(row.run_id, row.position))
            if sealed is None:
                unreadable.add(row.run_id)
            else:
                row.sealed, texts = sealed, texts + 1
        if unreadable and not forget:
            raise SecretUnreadable(
                f"nothing was changed: the checkpoints of {len(unreadable)} runs can't be read; "
                "give their secret key in PROMPTOPS_SECRET_KEY as well, or say --forget-unreadable"
            )
        if unreadable:
            await transaction.session.flush()
            await repository.forget(transaction.session, unreadable)
        return ResealedRuns(texts, len(unreadable))

    def _resealed(self, sealed: str, place: str) -> str | None:
        sealer = self._keys.sealer
        try:
            return sealer.seal(sealer.unseal(sealed, place), place)
        except Unsealable:
            return None

    def _rows(self, run_id: str, checkpoints: Sequence[Checkpoint]) -> list[RunCheckpointRow]:
        sealer = self._keys.sealer
        return [
            RunCheckpointRow(
                run_id=run_id,
                position=checkpoint.index,
                sealed=sealed_checkpoint(checkpoint, run_id, sealer),
            )
            for checkpoint in checkpoints
        ]

    def _unsealed(self, plan: RunPlanRow, rows: Sequence[RunCheckpointRow]) -> StoredRun:
        sealer = self._keys.sealer
        return StoredRun(
            StoredPlan.unsealed(plan.sealed or "", plan.run_id, sealer),
            tuple(
                unsealed_checkpoint(row.sealed, row.run_id, row.position, sealer) for row in rows
            ),
            plan.waits,
            plan.flow_run_id,
        )
