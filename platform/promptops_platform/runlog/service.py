"""The run log: what each run did and cost, with its link to Prefect's history."""

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from promptops_flows.protocol.engine_client import RunFinished, StepFinished
from promptops_flows.telemetry.text_policy import TextPolicy
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.runlog import repository
from promptops_platform.runlog.events import RunEvents
from promptops_platform.runlog.latency import milliseconds_between
from promptops_platform.runlog.new_run import ModelCall, NewRun
from promptops_platform.runlog.prepared_call import PreparedCall
from promptops_platform.runlog.prices import PriceTable, dollars
from promptops_platform.runlog.redaction import StoredTexts
from promptops_platform.runlog.rollups import Additions, shard_of
from promptops_platform.runlog.rows import LONGEST_NAME, RowMaker
from promptops_platform.runlog.states import RunState, status_of
from promptops_platform.runlog.step_costs import step_charge
from promptops_platform.runlog.tables import RunPromptRow, RunRow, RunStepRow
from promptops_platform.runlog.under_way import RunTakenOver
from promptops_platform.workspaces.service import WorkspaceService

log = structlog.get_logger(__name__)

EndListener = Callable[[Transaction, RunRow, Sequence[RunStepRow]], None]
INTERRUPTED = "the platform ended during this run; start it again"


class RunLog:
    """Opens, fills and closes entries of the run log.

    An entry may be deleted with its workspace while its run is active; what is recorded of that run
    afterwards is dropped.
    """

    def __init__(
        self,
        *,
        workspaces: WorkspaceService,
        prices: PriceTable,
        texts: StoredTexts,
        clock: Clock,
        instance: str,
        when_ended: Callable[[RunRow], None],
        events: RunEvents,
    ) -> None:
        """`when_ended` is called with each run whose end is committed, `events` gets all committed
        events."""
        self._when_ended = when_ended
        self._events = events
        self._workspaces = workspaces
        self._prices = prices
        self._texts = texts
        self._clock = clock
        self._instance = instance
        self._rows = RowMaker(texts=texts, prices=prices, clock=clock, instance=instance)
        self._shard = shard_of(instance)
        self._listeners: list[EndListener] = []

    def listen(self, listener: EndListener) -> None:
        """Call `listener` with each run that ends, inside the transaction that ends it."""
        self._listeners.append(listener)

    async def causes_of(self, transaction: Transaction, run_id: str) -> list[str]:
        """Return the triggers that led to a run, the first cause first; none if the run is
        deleted."""
        return await repository.causes(transaction.session, run_id)

    @property
    def text_policy(self) -> TextPolicy:
        """The policy for storing a run's texts, for everything that stores some."""
        return self._texts.policy

    async def open(self, transaction: Transaction, run: NewRun) -> RunRow:
        """Record that a run starts; raises NotFound if its workspace is deleted."""
        row = await self._rows.run_row(run)
        if not row.causes and (before := run.caused_by or run.retry_of):
            row.causes = await repository.causes(transaction.session, before) or None
        await self._workspaces.lock_row(transaction, run.workspace_id)
        transaction.session.add(row)
        if run.prompt is not None:
            await transaction.session.flush()
            transaction.session.add_all(self._rows.prompt_rows(run.id, row, 0, [run.prompt]))

        async def announce() -> None:
            self._events.started(row)

        transaction.after_commit(announce)
        return row

    async def add_step(self, transaction: Transaction, run_id: str, step: StepFinished) -> None:
        """Record a finished step; its usage is added to its run when that ends."""
        row = await self._rows.step_row(run_id, step)
        run = await repository.lock_row(transaction.session, run_id)
        if run is None:
            _log_gone(run_id)
            return
        own = (run.prompt_key, run.prompt_env, run.prompt_version)
        others = [
            prompt for prompt in step.prompts if (prompt.key, prompt.env, prompt.version) != own
        ]
        prompts = self._rows.prompt_rows(run_id, run, step.index, others)
        transaction.session.add_all([row, *prompts])

        async def announce() -> None:
            self._events.step_ended(run_id)

        transaction.after_commit(announce)

    async def step_row(self, run_id: str, step: StepFinished) -> RunStepRow:
        """Return the row that `add_step` adds, without adding it."""
        return await self._rows.step_row(run_id, step)

    def cost_of(self, step: StepFinished) -> float | None:
        """Return the step's cost in dollars; None if the price of a call is unknown."""
        started_at = datetime.fromisoformat(step.started_at)
        provider, model = step.provider or "", step.model or ""
        return dollars(step_charge(self._prices, step, provider, model, started_at).nanos)

    async def begin(self, transaction: Transaction, run_id: str, at: datetime) -> None:
        """Record that a queued run begins."""
        row = await repository.get(transaction.session, run_id, lock=True)
        if row is None:
            _log_gone(run_id)
        elif row.state == "queued":
            row.state, row.began_at = "running", row.began_at or at

            async def announce() -> None:
                self._events.started(row)

            transaction.after_commit(announce)

    async def close(
        self,
        transaction: Transaction,
        run_id: str,
        end: RunFinished,
        *,
        instance: str | None = None,
    ) -> None:
        """Record how a run ended, unless that is recorded already; raises RunTakenOver if an
        instance other than `instance`, by default this platform, executes it."""
        output = await self._texts.text(end.output)
        error = await self._texts.error(end.error or "", end.summary)
        row = await repository.get(transaction.session, run_id, lock=True)
        if row is None:
            _log_gone(run_id)
            self._events.forget(run_id)
            return
        if row.status != repository.RUNNING:
            return  # by a commit that seemed to have failed
        if row.instance != (self._instance if instance is None else instance):
            raise RunTakenOver(run_id)
        row.cancelled_by = end.cancelled_by and end.cancelled_by[:LONGEST_NAME]
        await self._close(transaction, row, end.state, output=output or "", error=error)

    async def prepare_call(self, run: NewRun, call: ModelCall) -> PreparedCall:
        """Return what is stored of an ended run that is a single model call, which becomes its only
        step; texts are as the settings allow."""
        row, ended_at = await self._rows.run_row(run), call.ended_at or self._clock.now()
        row.first_token_ms = call.first_token_ms
        finished = StepFinished(
            index=1,
            name="call",
            type="model",
            state="Completed" if call.error is None else "Failed",
            started_at=row.created_at.isoformat(),
            duration_ms=milliseconds_between(row.created_at, ended_at),
            attempts=1,
            prompts=(run.prompt,) if run.prompt else (),
            **{name: getattr(call, name) for name in CALL_FIELDS},
        )
        return PreparedCall.of(row, await self._rows.step_row(run.id, finished), ended_at)

    async def record_calls(self, transaction: Transaction, calls: Sequence[PreparedCall]) -> None:
        """Record calls; those whose workspace is deleted are dropped."""
        deleted = await self._workspaces.deleted(
            transaction, {call.run["workspace_id"] for call in calls}
        )
        runs: list[RunRow] = []
        parts: list[RunStepRow | RunPromptRow] = []
        for call in calls:
            row, step = call.rows()
            if row.workspace_id in deleted:
                _log_gone(row.id)
                continue
            self._end(
                transaction,
                row,
                [step],
                "completed" if step.error is None else "failed",
                output=step.output or "",
                error=step.error or "",
                ended_at=call.ended_at,
            )
            prompts = (call.prompt,) if call.prompt else ()
            runs.append(row)
            parts += [step, *self._rows.prompt_rows(row.id, row, 0, prompts)]
        transaction.session.add_all(runs)
        await transaction.session.flush()
        transaction.session.add_all(parts)

    async def close_orphans(self, transaction: Transaction) -> int:
        """Close what was active when this platform last ended; return how many."""
        rows = await repository.orphans(transaction.session, self._instance)
        for row in rows:
            await self.interrupt(transaction, row)
        return len(rows)

    async def interrupt(self, transaction: Transaction, row: RunRow) -> None:
        """Close a run whose platform has ended during it."""
        await self._close(transaction, row, "crashed", output="", error=INTERRUPTED)

    async def is_under_way(self, transaction: Transaction, run_id: str) -> bool:
        """Whether this run exists and has not ended."""
        return await repository.is_running(transaction.session, run_id)

    async def is_logged(self, transaction: Transaction, run_id: str) -> bool:
        """Whether this run exists."""
        return await repository.get(transaction.session, run_id) is not None

    async def _close(
        self, transaction: Transaction, row: RunRow, state: RunState, *, output: str, error: str
    ) -> None:
        steps = await repository.steps(transaction.session, row.id)
        self._end(
            transaction,
            row,
            steps,
            state,
            output=output,
            error=error,
            ended_at=self._clock.now(),
        )

    def _end(
        self,
        transaction: Transaction,
        row: RunRow,
        steps: Sequence[RunStepRow],
        state: RunState,
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
        row.state, row.status = state, status_of(state)
        row.output, row.error = output, error
        row.finished_at, row.latency_ms = ended_at, milliseconds_between(row.created_at, ended_at)
        self._add_up(transaction, row, steps)
        for listener in self._listeners:
            listener(transaction, row, steps)

        async def announce() -> None:
            self._when_ended(row)
            self._events.ended(row)

        transaction.after_commit(announce)

    def _add_up(self, transaction: Transaction, row: RunRow, steps: Sequence[RunStepRow]) -> None:
        """Add a run to the roll-ups, in the last statements of the transaction that ends it."""
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


def _log_gone(run_id: str) -> None:
    log.warning("run_not_recorded", run=run_id, reason="its workspace was deleted meanwhile")
