"""Builds deployments, timers and the handling of due flow runs."""

from promptops_platform.clock import Clock
from promptops_platform.data_folder import instance_id
from promptops_platform.db.unit_of_work import Database
from promptops_platform.deployments.claims import FlowRunClaims
from promptops_platform.deployments.comparisons import Comparisons
from promptops_platform.deployments.due_watch import DueWatch
from promptops_platform.deployments.kinds import DeploymentKinds
from promptops_platform.deployments.pushing import DeploymentPushes
from promptops_platform.deployments.service import Deployments
from promptops_platform.deployments.timers import Timers
from promptops_platform.execution.composition import Execution
from promptops_platform.settings import Settings

# Of a UUID: its end is random even if it begins with the time.
_WORKER_CHARACTERS = 12


class DeploymentsRoom:
    """Rooms above register themselves in `kinds`."""

    def __init__(
        self, settings: Settings, database: Database, execution: Execution, clock: Clock
    ) -> None:
        self.kinds = DeploymentKinds()
        self.claims = FlowRunClaims()
        self._pushes = DeploymentPushes(
            database=database,
            engine=execution.engine,
            kinds=self.kinds,
            work_pool=settings.work_pool,
        )
        self.service = Deployments(
            database=database,
            engine=execution.engine,
            kinds=self.kinds,
            pushes=self._pushes,
            comparisons=Comparisons(settings.work_pool),
            work_pool=settings.work_pool,
            clock=clock,
        )
        self.timers = Timers(database=database, kinds=self.kinds, pushes=self._pushes)
        self.watch = DueWatch(
            database=database,
            engine=execution.engine,
            kinds=self.kinds,
            claims=self.claims,
            timers=self.timers,
            work_pool=settings.work_pool,
            worker=f"promptops-{instance_id(settings.data)[-_WORKER_CHARACTERS:]}",
            prefect_ready=self.service.reconcile,
        )

    def start(self) -> None:
        """Bring Prefect up to date as soon as it responds, and take due flow runs."""
        self._pushes.start()
        self.watch.start()

    async def stop(self) -> None:
        """Stop taking flow runs. Idempotent."""
        await self.watch.stop()
        await self._pushes.stop()
