"""Retries runs: a new run continues at the failed steps, with the results of the completed ones."""

from dataclasses import dataclass, replace

from promptops_flows.protocol.engine_client import Checkpoint, RunRequest
from promptops_platform.access.actor import Actor
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import BadRequest, Conflict
from promptops_platform.execution.access import RunAccess
from promptops_platform.execution.detached import DetachedRuns
from promptops_platform.execution.order import RunOrder
from promptops_platform.execution.pooled_runs import PooledRuns
from promptops_platform.execution.reuse import (
    fitting,
    place_of_step,
    refuse_inner_step,
    without,
    without_failed,
)
from promptops_platform.execution.stored_plan import StoredPlan
from promptops_platform.execution.stored_runs import StoredRun, StoredRuns
from promptops_platform.execution.subjects import RunSubject, providers_of
from promptops_platform.ids import new_id
from promptops_platform.providers.lookup import ProviderLookup
from promptops_platform.runlog.reading import RunReader
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.tables import RunRow


@dataclass(frozen=True, slots=True)
class AskedRetry:
    """`version` is another version of the definition; `from_step` is executed again together with
    all steps that depend on it. `api_key` and `base_url` are the caller's, as in a first run."""

    version: int | None = None
    from_step: str | None = None
    api_key: str | None = None
    base_url: str | None = None
    # The flow run in Prefect that executes the retry, if any.
    flow_run_id: str | None = None


class RunRetries:
    """A retry takes over plan and checkpoints, so a run is retried once; after that, its retry
    is."""

    def __init__(
        self,
        *,
        database: Database,
        access: RunAccess,
        runs: RunLog,
        reader: RunReader,
        stored: StoredRuns,
        providers: ProviderLookup,
        detached: DetachedRuns,
        pooled: PooledRuns,
    ) -> None:
        self._database = database
        self._access = access
        self._runs = runs
        self._reader = reader
        self._stored = stored
        self._providers = providers
        self._detached = detached
        self._pooled = pooled

    async def retry(self, run_id: str, asked: AskedRetry, *, actor: Actor) -> RunRow:
        """Retry a run that has ended without being completed.

        Raises NotFound, Forbidden, BadRequest, TooManyRequests, SecretUnreadable, and Conflict if
        the run can't be retried.
        """
        async with self._database.write() as transaction:
            old, subject = await self._access.find(transaction, run_id, actor=actor)
            self._detached.require_room(old.workspace_id)
            stored = await self._retryable(transaction, old)
            order = await self._order(transaction, old, stored, asked, subject, actor)
            await self._refuse_inner_step(transaction, old, stored, asked)
            kept = _reused(stored, order.request, asked)
            plan = StoredPlan(order.request, order.caller_id, stored.plan.kept)
            new = order.new_run(is_detached=True, retry_of=run_id)
            row = await self._runs.open(transaction, new)
            await subject.follower(new.id, plan.kept).open(transaction)
            await self._stored.move(transaction, run_id, plan, kept)
            self._pooled.enter(transaction, row)
        self._detached.take_up(row)
        return row

    async def _retryable(self, transaction: Transaction, old: RunRow) -> StoredRun:
        retried_by = await self._stored.lock_plan(transaction, old.id)
        if old.status != "error":
            raise Conflict(
                f"run {old.id!r} is {old.state}; only a run that has ended without being "
                "completed can be retried"
            )
        if retried_by is not None:
            raise Conflict(
                f"run {old.id!r} has been retried as run {retried_by!r}; retry that one",
                fields={"retried_by": retried_by},
            )
        stored = await self._stored.load(transaction, old.id)
        if stored is None:
            raise Conflict(
                f"the checkpoints of run {old.id!r} are no longer stored, or never were (see "
                "PROMPTOPS_RETRY_DAYS and PROMPTOPS_RUN_TEXTS); start a new run"
            )
        return stored

    async def _refuse_inner_step(
        self, transaction: Transaction, old: RunRow, stored: StoredRun, asked: AskedRetry
    ) -> None:
        if asked.from_step is not None:
            steps = await self._reader.steps(transaction, old.id)
            refuse_inner_step(stored.plan.request.plan, steps, asked.from_step)

    async def _order(
        self,
        transaction: Transaction,
        old: RunRow,
        stored: StoredRun,
        asked: AskedRetry,
        subject: RunSubject,
        actor: Actor,
    ) -> RunOrder:
        if stored.plan.lacks_credentials and not (asked.api_key or asked.base_url):
            raise BadRequest(
                "api_key: the run was started with a key or an address of its caller's, which are "
                "not stored; send api_key, base_url or both again"
            )
        order = await subject.replan(
            transaction, old, stored.plan.request, asked.version, actor=actor
        )
        if order is None:
            raise Conflict(
                f"{old.source} {old.ref_key!r} of run {old.id!r} no longer exists, so its "
                "runs can't be retried"
            )
        if asked.base_url:
            self._providers.check_base_url(asked.base_url, providers_of(order.request.plan))
        request = replace(
            order.request,
            run_id=new_id(),
            api_key=asked.api_key,
            base_url=asked.base_url,
            flow_run_id=asked.flow_run_id,
            # A retry has no waiting caller, and its readers see text as it is generated.
            stream=True,
        )
        return replace(order, request=request)


def _reused(stored: StoredRun, request: RunRequest, asked: AskedRetry) -> list[Checkpoint]:
    kept = fitting(stored.plan.request.plan, request.plan, stored.checkpoints)
    kept = without_failed(request.plan, kept)
    if asked.from_step is None:
        return kept
    return without(request.plan, kept, place_of_step(request.plan, asked.from_step))
