"""What one attempt at a detached run executes, read from the database."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from promptops_flows.protocol.engine_client import RunFinished, RunRequest
from promptops_flows.steps.models import Receiver
from promptops_platform.access.actor import SYSTEM
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import BadRequest, NotFound, SecretUnreadable
from promptops_platform.execution.followers import RunFollower
from promptops_platform.execution.following import crashed
from promptops_platform.execution.stored_plan import StoredPlan
from promptops_platform.execution.stored_runs import StoredRun, StoredRuns
from promptops_platform.execution.subjects import ReceiverSource, RunSubject, connections_of
from promptops_platform.providers.lookup import ProviderLookup
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.tables import RunRow
from promptops_platform.runlog.under_way import RunsUnderWay

# A run continues this many times after the platform or the engine ended during it.
MOST_TAKE_OVERS = 3
GIVEN_UP = (
    f"the platform or the run engine ended {MOST_TAKE_OVERS + 1} times during this run; retry it "
    "once they run stably"
)
PLAN_GONE = "the plan of this run is gone; start it again"


class CantGoOn(Exception):
    """Raised to end the run with this result."""

    def __init__(self, end: RunFinished) -> None:
        super().__init__(end.error)
        self.end = end


@dataclass(frozen=True, slots=True)
class Attempt:
    """`number` counts from 1; `logged` are the steps of earlier attempts in the run log."""

    number: int
    plan: StoredPlan
    request: RunRequest
    follower: RunFollower
    logged: frozenset[int]


class AttemptReader:
    """`subjects` are the rooms whose definitions are run, keyed by the source of the runs."""

    def __init__(
        self,
        *,
        database: Database,
        runs: RunLog,
        under_way: RunsUnderWay,
        stored: StoredRuns,
        providers: ProviderLookup,
        subjects: Mapping[str, RunSubject],
        receivers: Mapping[str, ReceiverSource],
    ) -> None:
        self._database = database
        self._runs = runs
        self._under_way = under_way
        self._stored = stored
        self._providers = providers
        self._subjects = subjects
        self._receivers = receivers

    async def next(self, run_id: str, *, instance: str | None = None) -> Attempt:
        """Return the next attempt at a run by that worker, or by this platform; raises RunTakenOver
        if another one executes the run or it has ended, and CantGoOn."""
        async with self._database.read() as transaction:
            row = await self._under_way.of(instance).find_own(transaction, run_id)
            logged = await self._under_way.logged_steps(transaction, run_id)
            try:
                stored = await self._stored.load(transaction, run_id)
            except SecretUnreadable as error:
                raise CantGoOn(crashed(error.sentence)) from error
            receiver = await self._receiver(transaction, row, stored)
        if stored is None:
            raise CantGoOn(crashed(PLAN_GONE))
        # An attempt that ended to wait for approvals is not a lost attempt.
        if row.attempt - stored.waits > MOST_TAKE_OVERS + 1:
            raise CantGoOn(crashed(GIVEN_UP))
        return Attempt(
            row.attempt,
            stored.plan,
            replace(self._request(row, stored), receiver=receiver),
            self.follower(row, stored.plan),
            frozenset(logged),
        )

    def follower(self, row: RunRow, plan: StoredPlan) -> RunFollower:
        """Return a follower that continues the work of the one that the run was started with."""
        return self._subjects[row.source].follower(row.id, plan.kept)

    async def _receiver(
        self, transaction: Transaction, row: RunRow, stored: StoredRun | None
    ) -> Receiver | None:
        source = self._receivers.get(row.source)
        if source is None or stored is None:
            return None
        try:
            return await source.receiver(transaction, stored.plan.kept)
        except (NotFound, SecretUnreadable) as error:
            raise CantGoOn(RunFinished("error", error=error.sentence)) from error

    def _request(self, row: RunRow, stored: StoredRun) -> RunRequest:
        request = stored.plan.request
        try:
            # Whoever started the run had the permission; the connections may have changed since.
            connections = connections_of(
                request.plan, row.workspace_id, self._providers, actor=SYSTEM
            )
        except (BadRequest, NotFound, SecretUnreadable) as error:
            raise CantGoOn(RunFinished("error", error=error.sentence)) from error
        return replace(
            request,
            connections=connections,
            checkpoints=stored.checkpoints,
            texts=self._runs.text_policy,
            durable=True,
            flow_run_id=stored.flow_run_id or request.flow_run_id,
            suspended=stored.flow_run_id is not None,
        )
