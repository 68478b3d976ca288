"""The run log: what each run did and cost, with its link into Prefect's history."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from promptops_flows.engine_client import RunFinished, StepFinished
from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.clock import Clock
from promptops_platform.db.tables import RunRow, RunStepRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import NotFound
from promptops_platform.runs import repository
from promptops_platform.runs.schemas import RunStats
from promptops_platform.workspaces.service import WorkspaceService

log = structlog.get_logger(__name__)

INTERRUPTED = "the platform ended during this run; start it again"
REPLACEMENT = "\ufffd"
NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that is about to start."""

    id: str
    workspace_id: str
    source: str
    ref_key: str
    flow_run_id: str
    flow_run_url: str | None


class RunLog:
    """Opens, fills and closes entries of the run log.

    An entry may go with its workspace while its run is under way; what is recorded of that run
    afterwards is dropped.
    """

    def __init__(
        self, *, grants: Grants, workspaces: WorkspaceService, clock: Clock, instance: str
    ) -> None:
        self._grants = grants
        self._workspaces = workspaces
        self._clock = clock
        self._instance = instance

    async def open(self, transaction: Transaction, run: NewRun) -> None:
        """Record that a run starts now; raises NotFound where its workspace is gone."""
        await self._workspaces.hold(transaction, run.workspace_id)
        transaction.session.add(
            RunRow(
                id=run.id,
                workspace_id=run.workspace_id,
                source=run.source,
                ref_key=run.ref_key,
                provider="",
                model="",
                prompt_tokens=0,
                output_tokens=0,
                latency_ms=0,
                status=repository.RUNNING,
                error="",
                output="",
                flow_run_id=run.flow_run_id,
                flow_run_url=run.flow_run_url,
                instance=self._instance,
                created_at=self._clock.now(),
                finished_at=None,
            )
        )

    async def add_step(self, transaction: Transaction, run_id: str, step: StepFinished) -> None:
        """Record a finished step; what it used is added to its run when that ends."""
        if not await repository.hold(transaction.session, run_id):
            _log_gone(run_id)
            return
        usage = step.usage
        prompt_tokens = usage.prompt_tokens if usage else 0
        output_tokens = usage.output_tokens if usage else 0
        transaction.session.add(
            RunStepRow(
                run_id=run_id,
                position=step.index,
                name=storable(step.name),
                type=step.type,
                state=step.state,
                started_at=datetime.fromisoformat(step.started_at),
                duration_ms=step.duration_ms,
                attempts=step.attempts,
                provider=storable(step.provider or ""),
                model=storable(step.model or ""),
                prompt_tokens=prompt_tokens,
                output_tokens=output_tokens,
                output=None if step.output is None else storable(step.output),
                error=None if step.error is None else storable(step.error),
            )
        )

    async def close(self, transaction: Transaction, run_id: str, end: RunFinished) -> None:
        """Record how a run ended."""
        row = await repository.get(transaction.session, run_id, lock=True)
        if row is None:
            _log_gone(run_id)
            return
        await self._close(
            transaction, row, end.status, output=end.output or "", error=end.error or ""
        )

    async def close_orphans(self, transaction: Transaction) -> int:
        """Close what was running when this platform last ended; returns how many."""
        rows = await repository.orphans(transaction.session, self._instance)
        for row in rows:
            await self._close(transaction, row, "error", output="", error=INTERRUPTED)
        return len(rows)

    async def is_under_way(self, transaction: Transaction, run_id: str) -> bool:
        """Whether that run exists and has not ended."""
        return await repository.is_running(transaction.session, run_id)

    async def get(self, transaction: Transaction, run_id: str, *, actor: Actor) -> RunRow:
        """A run; raises NotFound, also where its workspace doesn't exist for the caller."""
        row = await repository.get(transaction.session, run_id)
        if row is None or not self._grants.can_read(actor, row.workspace_id):
            raise NotFound(f"run {run_id!r} not found; GET /api/runs lists them")
        return row

    async def steps(self, transaction: Transaction, run_id: str) -> list[RunStepRow]:
        """The finished steps of a run, in their order."""
        return await repository.steps(transaction.session, run_id)

    async def page(
        self,
        transaction: Transaction,
        *,
        actor: Actor,
        status: str | None,
        limit: int,
        offset: int,
    ) -> tuple[list[RunRow], int]:
        """Runs of the workspaces that exist for the caller, newest first, and how many there are;
        without a status, the ended ones."""
        readable = self._grants.readable(actor)
        return await repository.page(transaction.session, readable, status, limit, offset)

    async def stats(self, transaction: Transaction, *, actor: Actor) -> RunStats:
        """Totals over the ended runs of the workspaces that exist for the caller."""
        return await repository.stats(transaction.session, self._grants.readable(actor))

    async def _close(
        self, transaction: Transaction, row: RunRow, status: str, *, output: str, error: str
    ) -> None:
        for step in await repository.steps(transaction.session, row.id):
            row.provider = step.provider or row.provider
            row.model = step.model or row.model
            row.prompt_tokens += step.prompt_tokens
            row.output_tokens += step.output_tokens
        now = self._clock.now()
        row.status, row.output, row.error = status, storable(output), storable(error)
        row.finished_at = now
        row.latency_ms = max(0, round((now - row.created_at).total_seconds() * 1000))


def _log_gone(run_id: str) -> None:
    log.warning("run_not_recorded", run=run_id, reason="its workspace was deleted meanwhile")


def storable(text: str) -> str:
    """`text` without what no database takes: models may answer NUL, or half of a character."""
    return NOT_STORABLE.sub(REPLACEMENT, text)


def storable_json(value: Any) -> Any:
    """As `storable`, for every text in a JSON value."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [storable_json(each) for each in value]
    if isinstance(value, dict):
        return {storable(name): storable_json(each) for name, each in value.items()}
    return value
