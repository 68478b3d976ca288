"""The run log: what each run did and cost, with its link into Prefect's history."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zlib import crc32

import structlog

from promptops_flows.engine_client import RunFinished, StepFinished
from promptops_flows.text_policy import TextPolicy
from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.scopes import seen_scopes, sees
from promptops_platform.clock import Clock
from promptops_platform.db.run_tables import RunRow, RunStepRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, NotFound
from promptops_platform.runs import repository, search
from promptops_platform.runs.prepared_call import PreparedCall
from promptops_platform.runs.prices import PriceTable
from promptops_platform.runs.redaction import StoredTexts
from promptops_platform.runs.rollups import LONGEST_MODEL, Additions
from promptops_platform.runs.search import Place, RunFilter, Total
from promptops_platform.runs.step_costs import step_charge, step_usage
from promptops_platform.workspaces.service import WorkspaceService
from promptops_providers.protocol import SpentCall, Usage
from promptops_providers.storable_texts import storable

log = structlog.get_logger(__name__)

INTERRUPTED = "the platform ended during this run; start it again"
LONGEST_PROVIDER = 64
LONGEST_NAME = 200
LONGEST_REASON = 32
# Each replica adds to the roll-ups in a shard of its own, so that none waits for another.
SHARDS = 16


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that is about to start, or did so at `started_at`.

    `user` is the name of who asked for it; `inputs` is JSON: variables, prompt reference and the
    like. `provider` and `model` are those asked for, as far as that is known. A run that is no
    flow has no `flow_run_id`. `scope` is one of `access.scopes`.
    """

    id: str
    workspace_id: str
    source: str
    ref_key: str
    flow_run_id: str | None = None
    flow_run_url: str | None = None
    user: str = ""
    inputs: dict[str, Any] | None = None
    provider: str = ""
    model: str = ""
    started_at: datetime | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class ModelCall:
    """The one model call of a run that is no flow, and how it ended, by default just now: with an
    `error` it failed, `summary` is it without what it quotes.

    `provider_kind` is what the provider is where that is a connection. `first_token_ms` is from
    the start of the run, for an answer that was streamed.
    """

    provider: str
    model: str
    provider_kind: str | None = None
    usage: Usage | None = None
    stop_reason: str | None = None
    input: str | None = None
    output: str | None = None
    error: str | None = None
    summary: str | None = None
    first_token_ms: int | None = None
    ended_at: datetime | None = None
    notes: tuple[str, ...] = ()
    spent: tuple[SpentCall, ...] = ()


class RunLog:
    """Opens, fills and closes entries of the run log.

    An entry may go with its workspace while its run is under way; what is recorded of that run
    afterwards is dropped.
    """

    def __init__(
        self,
        *,
        grants: Grants,
        workspaces: WorkspaceService,
        prices: PriceTable,
        texts: StoredTexts,
        clock: Clock,
        instance: str,
        when_ended: Callable[[RunRow], None],
    ) -> None:
        """`when_ended` is told of each run whose end is committed."""
        self._when_ended = when_ended
        self._grants = grants
        self._workspaces = workspaces
        self._prices = prices
        self._texts = texts
        self._clock = clock
        self._instance = instance
        self._shard = shard_of(instance)

    @property
    def text_policy(self) -> TextPolicy:
        """What may be stored of a run's texts, by whomever."""
        return self._texts.policy

    async def open(self, transaction: Transaction, run: NewRun) -> None:
        """Record that a run starts; raises NotFound where its workspace is gone."""
        row = await self._row(run)
        await self._workspaces.hold(transaction, run.workspace_id)
        transaction.session.add(row)

    async def add_step(self, transaction: Transaction, run_id: str, step: StepFinished) -> None:
        """Record a finished step; what it used is added to its run when that ends."""
        row = await self._step(run_id, step)
        if not await repository.hold(transaction.session, run_id):
            _log_gone(run_id)
            return
        transaction.session.add(row)

    async def close(self, transaction: Transaction, run_id: str, end: RunFinished) -> None:
        """Record how a run ended."""
        output = await self._texts.text(end.output)
        error = await self._texts.error(end.error or "", end.summary)
        row = await repository.get(transaction.session, run_id, lock=True)
        if row is None:
            _log_gone(run_id)
            return
        await self._close(transaction, row, end.status, output=output or "", error=error)

    async def prepare_call(self, run: NewRun, call: ModelCall) -> PreparedCall:
        """What is stored of a run that has ended and is one model call, which becomes its only
        step; texts are as the settings want them."""
        row, ended_at = await self._row(run), call.ended_at or self._clock.now()
        row.first_token_ms = call.first_token_ms
        finished = StepFinished(
            index=1,
            name="call",
            type="model",
            state="Completed" if call.error is None else "Failed",
            started_at=row.created_at.isoformat(),
            duration_ms=_milliseconds(row.created_at, ended_at),
            attempts=1,
            **{name: getattr(call, name) for name in CALL_FIELDS},
        )
        return PreparedCall.of(row, await self._step(run.id, finished), ended_at)

    async def record_calls(self, transaction: Transaction, calls: Sequence[PreparedCall]) -> None:
        """Record calls; those whose workspace is gone are dropped."""
        gone = await self._workspaces.gone(
            transaction, {call.run["workspace_id"] for call in calls}
        )
        rows: list[RunRow | RunStepRow] = []
        for call in calls:
            row, step = call.rows()
            if row.workspace_id in gone:
                _log_gone(row.id)
                continue
            self._end(
                transaction,
                row,
                [step],
                "ok" if step.error is None else "error",
                output=step.output or "",
                error=step.error or "",
                ended_at=call.ended_at,
            )
            rows += [row, step]
        transaction.session.add_all(rows)

    async def close_orphans(self, transaction: Transaction) -> int:
        """Close what was running when this platform last ended; returns how many."""
        rows = await repository.orphans(transaction.session, self._instance)
        for row in rows:
            await self._close(transaction, row, "error", output="", error=INTERRUPTED)
        return len(rows)

    async def is_under_way(self, transaction: Transaction, run_id: str) -> bool:
        """Whether that run exists and has not ended."""
        return await repository.is_running(transaction.session, run_id)

    async def is_logged(self, transaction: Transaction, run_id: str) -> bool:
        """Whether there is that run."""
        return await repository.get(transaction.session, run_id) is not None

    async def get(self, transaction: Transaction, run_id: str, *, actor: Actor) -> RunRow:
        """A run; raises NotFound, also where it doesn't exist for the caller."""
        row = await repository.get(transaction.session, run_id)
        if row is None or not self._may_see(actor, row):
            raise NotFound(f"run {run_id!r} not found; GET /api/runs lists them")
        return row

    async def steps(self, transaction: Transaction, run_id: str) -> list[RunStepRow]:
        """The finished steps of a run, in their order."""
        return await repository.steps(transaction.session, run_id)

    async def page(
        self,
        transaction: Transaction,
        wanted: RunFilter,
        *,
        actor: Actor,
        workspace: str | None,
        limit: int,
        offset: int,
        before: str | None,
    ) -> tuple[list[RunRow], Total]:
        """Runs, newest first, and how many are wanted in all; those before a run where `before`
        names one.

        Without a workspace, its id or slug, they are those of all workspaces that exist for the
        caller. Raises NotFound for an unknown workspace, BadRequest for an unknown run.
        """
        scopes = seen_scopes(actor)
        seen = replace(
            wanted,
            workspaces=seen_workspaces(self._grants, actor, workspace),
            scopes=None if scopes is None else sorted(scopes),
        )
        place = await self._place(transaction, before, actor)
        rows = await search.page(
            transaction.session, seen, limit=limit, offset=offset, before=place
        )
        return rows, await search.total(transaction.session, seen)

    async def _place(
        self, transaction: Transaction, before: str | None, actor: Actor
    ) -> Place | None:
        if before is None:
            return None
        row = await repository.get(transaction.session, before)
        if row is None or not self._may_see(actor, row):
            raise BadRequest(f"before: there is no run {before!r}; send the id of a listed one")
        return Place(row.created_at, row.id)

    def _may_see(self, actor: Actor, row: RunRow) -> bool:
        return self._grants.can_read(actor, row.workspace_id) and sees(actor, row.scope)

    async def _row(self, run: NewRun) -> RunRow:
        return RunRow(
            id=run.id,
            workspace_id=run.workspace_id,
            source=run.source,
            ref_key=run.ref_key,
            user_name=run.user[:LONGEST_NAME],
            scope=run.scope,
            inputs=await self._texts.inputs(run.inputs),
            provider=storable(run.provider)[:LONGEST_PROVIDER],
            model=self._texts.label(run.model, LONGEST_MODEL),
            prompt_tokens=0,
            cached_tokens=0,
            output_tokens=0,
            usage_estimated=False,
            latency_ms=0,
            status=repository.RUNNING,
            error="",
            output="",
            flow_run_id=run.flow_run_id,
            flow_run_url=run.flow_run_url,
            instance=self._instance,
            created_at=run.started_at or self._clock.now(),
        )

    async def _step(self, run_id: str, step: StepFinished) -> RunStepRow:
        usage = step_usage(step)
        provider = storable(step.provider or "")[:LONGEST_PROVIDER]
        model = self._texts.label(step.model or "", LONGEST_MODEL)
        started_at = datetime.fromisoformat(step.started_at)
        charge = step_charge(self._prices, step, provider, model, started_at)
        return RunStepRow(
            run_id=run_id,
            position=step.index,
            name=self._texts.name(step.name, step.public_name),
            type=step.type,
            state=step.state,
            started_at=started_at,
            duration_ms=step.duration_ms,
            attempts=step.attempts,
            provider=provider,
            model=model,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
            usage_estimated=usage.estimated,
            cost_nanos=charge.nanos,
            price=charge.price,
            stop_reason=self._texts.label(step.stop_reason or "", LONGEST_REASON) or None,
            notes=[self._texts.name(note) for note in step.notes] or None,
            input=await self._texts.text(step.input),
            output=await self._texts.text(step.output),
            error=None if step.error is None else await self._texts.error(step.error, step.summary),
        )

    async def _close(
        self, transaction: Transaction, row: RunRow, status: str, *, output: str, error: str
    ) -> None:
        steps = await repository.steps(transaction.session, row.id)
        self._end(
            transaction,
            row,
            steps,
            status,
            output=output,
            error=error,
            ended_at=self._clock.now(),
        )

    def _end(
        self,
        transaction: Transaction,
        row: RunRow,
        steps: Sequence[RunStepRow],
        status: str,
        *,
        output: str,
        error: str,
        ended_at: datetime,
    ) -> None:
        for step in steps:
            if step.provider:
                row.provider, row.model = step.provider, step.model
                row.stop_reason, row.price_version = step.stop_reason, self._prices.version
            row.prompt_tokens += step.prompt_tokens
            row.cached_tokens += step.cached_tokens
            row.output_tokens += step.output_tokens
        costs = [step.cost_nanos for step in steps]
        row.cost_nanos = None if None in costs else sum(filter(None, costs))
        row.usage_estimated = any(step.usage_estimated for step in steps)
        row.status, row.output, row.error = status, output, error
        row.finished_at, row.latency_ms = ended_at, _milliseconds(row.created_at, ended_at)
        self._add_up(transaction, row, steps)

        async def tell() -> None:
            self._when_ended(row)

        transaction.after_commit(tell)

    def _add_up(self, transaction: Transaction, row: RunRow, steps: Sequence[RunStepRow]) -> None:
        """Add a run to the roll-ups, as the last statements of the transaction that ends it."""
        additions: Additions | None = transaction.notes.get(self)
        if additions is None:
            additions = transaction.notes[self] = added = Additions()
            transaction.before_commit(lambda: added.write(transaction.session, self._shard))
        additions.add(row, steps)


CALL_FIELDS = (
    "provider",
    "model",
    "provider_kind",
    "usage",
    "stop_reason",
    "input",
    "output",
    "error",
    "summary",
    "notes",
    "spent",
)


def shard_of(instance: str) -> int:
    """In which shard a replica counts."""
    return crc32(instance.encode()) % SHARDS


def seen_workspaces(grants: Grants, actor: Actor, workspace: str | None) -> Sequence[str] | None:
    """Ids of the workspaces that a reading is kept to, None for all; raises NotFound for one that
    doesn't exist for the caller."""
    if workspace is not None:
        found = grants.find(actor, workspace)
        if found is None:
            raise NotFound(f"workspace {workspace!r} not found; GET /api/workspaces lists them")
        return [found]
    readable = grants.readable(actor)
    return None if readable is None else sorted(readable)


def _milliseconds(start: datetime, end: datetime) -> int:
    return max(0, round((end - start).total_seconds() * 1000))


def _log_gone(run_id: str) -> None:
    log.warning("run_not_recorded", run=run_id, reason="its workspace was deleted meanwhile")
