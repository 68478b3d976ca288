"""Plans and checkpoints of runs: stored sealed, apart from the run log, which may be redacted or
switched off, and deleted when a run can no longer go on."""

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
    """A plan and the checkpoints of the steps that have been completed. `waits` counts how often
    the run went on after decisions; `flow_run_id` is its suspended flow run, if it has one."""

    plan: StoredPlan
    checkpoints: tuple[Checkpoint, ...]
    waits: int = 0
    flow_run_id: str | None = None


@dataclass(frozen=True, slots=True)
class ResealedRuns:
    """How many texts were sealed anew, and of how many runs they could not be read."""

    texts: int
    deleted: int


class StoredRuns:
    """Seals what runs need to go on."""

    def __init__(
        self, *, keys: SecretKeys, texts: TextPolicy, clock: Clock, retry_days: float
    ) -> None:
        self._keys = keys
        self._texts = texts
        self._clock = clock
        self._retry_days = retry_days

    @property
    def keeps_ended(self) -> bool:
        """Whether a run can be retried, which needs its texts."""
        return self._texts.keeps_texts

    async def sealed(self, plan: StoredPlan) -> str:
        """The plan as `add` stores it; outside of a transaction, since it may take a while."""
        return await asyncio.to_thread(plan.sealed, self._keys.sealer)

    async def sealed_checkpoints(
        self, run_id: str, checkpoints: Sequence[Checkpoint]
    ) -> list[RunCheckpointRow]:
        """The checkpoints as rows."""
        return await asyncio.to_thread(self._rows, run_id, checkpoints)

    async def add(
        self,
        transaction: Transaction,
        run_id: str,
        sealed: str,
        checkpoints: Sequence[RunCheckpointRow] = (),
    ) -> None:
        """Store the plan of a run that was added in this transaction."""
        # The run first, which its plan refers to.
        await transaction.session.flush()
        transaction.session.add_all([RunPlanRow(run_id=run_id, sealed=sealed), *checkpoints])

    async def add_checkpoints(
        self, transaction: Transaction, rows: Sequence[RunCheckpointRow]
    ) -> None:
        """Store what completed steps brought."""
        await repository.add_checkpoints(transaction.session, rows)

    async def load(self, transaction: Transaction, run_id: str) -> StoredRun | None:
        """What there is of a run; None where nothing is. Raises SecretUnreadable."""
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
        """The plan of a run; None also where it can't be read."""
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
        """The run that a flow run in Prefect has executed last, and whether it or its retry is
        under way; None where nothing of it is stored."""
        return await repository.run_of_flow_run(transaction.session, flow_run_id)

    async def find_suspended(self, transaction: Transaction, flow_run_id: str) -> str | None:
        """The run of a flow run that is suspended."""
        return await repository.run_of_suspended(transaction.session, flow_run_id)

    async def lock_plan(self, transaction: Transaction, run_id: str) -> str | None:
        """Keep the plan of a run as it is until the commit; returns the run that it has moved to,
        if it has."""
        row = await repository.plan(transaction.session, run_id, lock=True)
        return None if row is None else row.retried_by

    async def suspend(
        self, transaction: Transaction, run_id: str, flow_run_id: str, sealed: str | None
    ) -> None:
        """The run goes on later, as this flow run; a `sealed` plan takes the place of the old
        one."""
        row = await repository.plan(transaction.session, run_id, lock=True)
        if row is not None:
            row.flow_run_id = flow_run_id
            row.sealed = sealed or row.sealed

    async def go_on(self, transaction: Transaction, run_id: str) -> None:
        """The run has another attempt, which was decided."""
        row = await repository.plan(transaction.session, run_id, lock=True)
        if row is not None:
            row.waits += 1

    async def hand_over(self, transaction: Transaction, run_id: str) -> None:
        """The flow run is suspended no longer, or is to end."""
        row = await repository.plan(transaction.session, run_id, lock=True)
        if row is not None:
            row.flow_run_id = None

    async def suspended_flow_run(self, transaction: Transaction, run_id: str) -> str | None:
        """The run's flow run, where that is suspended."""
        row = await repository.plan(transaction.session, run_id)
        return None if row is None else row.flow_run_id

    async def end(self, transaction: Transaction, run_id: str, *, completed: bool) -> None:
        """Delete what a run that ends in this transaction needs no longer."""
        if completed or not self.keeps_ended:
            await repository.forget(transaction.session, [run_id])

    async def drop_credentials(self, transaction: Transaction, plan: StoredPlan) -> None:
        """Store the plan of a run that ends without what its caller has sent for it alone."""
        bare = plan.without_credentials
        row = await repository.plan(transaction.session, plan.request.run_id, lock=True)
        if bare is not plan and row is not None:
            row.sealed = await self.sealed(bare)

    async def move(
        self, transaction: Transaction, old_id: str, plan: StoredPlan, kept: Sequence[Checkpoint]
    ) -> None:
        """Give the plan and these checkpoints of a run that has ended to its retry, which was added
        in this transaction."""
        new_id = plan.request.run_id
        rows = await self.sealed_checkpoints(new_id, kept)
        await self.add(transaction, new_id, await self.sealed(plan), rows)
        old = await repository.plan(transaction.session, old_id, lock=True)
        if old is not None:
            old.sealed, old.retried_by = None, new_id
        await repository.forget_checkpoints(transaction.session, old_id)

    async def prune(self, transaction: Transaction) -> int:
        """Delete some of what belongs to runs that can no longer be retried; returns of how
        many."""
        before = self._clock.now() - timedelta(days=self._retry_days) if self.keeps_ended else None
        run_ids = await repository.ended_with_plan(transaction.session, before, BATCH)
        if run_ids:
            await repository.forget(transaction.session, run_ids)
        return len(run_ids)

    async def forget_unkept(self, transaction: Transaction) -> None:
        """Delete what belongs to runs that have ended, where nothing of these may be kept."""
        if not self.keeps_ended:
            while run_ids := await repository.ended_with_plan(transaction.session, None, BATCH):
                await repository.forget(transaction.session, run_ids)

    async def rotate(self, transaction: Transaction, *, forget: bool) -> ResealedRuns:
        """Seal all texts anew, with the first secret key; raises SecretUnreadable for those that
        can't be read, unless these shall be deleted."""
        texts, unreadable = 0, set[str]()
        async for plan in repository.all_plans(transaction.session):
            sealed = self._anew(plan.sealed or "", place_of(plan.run_id))
            if sealed is None:
                unreadable.add(plan.run_id)
            else:
                plan.sealed, texts = sealed, texts + 1
        async for row in repository.all_checkpoints(transaction.session):
            sealed = self._anew(row.sealed, place_of(row.run_id, row.position))
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

    def _anew(self, sealed: str, place: str) -> str | None:
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
