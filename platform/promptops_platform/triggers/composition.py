"""Builds the triggers room: triggers, their event sources, and their runs and deliveries."""

from promptops_platform.access.composition import Access
from promptops_platform.agents.composition import Agents
from promptops_platform.approvals.composition import Approvals
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.composition import Changes
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.deployments.composition import DeploymentsRoom
from promptops_platform.execution.composition import Execution
from promptops_platform.providers.composition import Providers
from promptops_platform.realtime.composition import Realtime
from promptops_platform.runlog.composition import RunLogRoom
from promptops_platform.settings import Settings
from promptops_platform.targets.composition import Targets
from promptops_platform.triggers.approval_notices import ApprovalNotices
from promptops_platform.triggers.client_watch import ClientWatch
from promptops_platform.triggers.connection_health import ConnectionHealth
from promptops_platform.triggers.delivering import SOURCE, Deliveries
from promptops_platform.triggers.deployment_kind import TriggerDeployments
from promptops_platform.triggers.firing import FiringRecorder
from promptops_platform.triggers.firing_ends import FiringEnds
from promptops_platform.triggers.inbound import InboundWebhooks
from promptops_platform.triggers.mirror import TriggerMirror
from promptops_platform.triggers.prefect_notifier import PrefectNotifier
from promptops_platform.triggers.resending import Resending
from promptops_platform.triggers.running import TriggeredRuns
from promptops_platform.triggers.secrets import TriggerSecrets
from promptops_platform.triggers.service import KIND, TriggerService
from promptops_platform.triggers.targets import TriggerTargets
from promptops_platform.triggers.templates import EventTemplates
from promptops_platform.triggers.trigger_views import TriggerViews
from promptops_platform.workflows.composition import Workflows
from promptops_platform.workspaces.composition import Workspaces


class Triggers:
    """`mirror` is a consumer of the change feed."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        access: Access,
        workspaces: Workspaces,
        providers: Providers,
        runlog: RunLogRoom,
        execution: Execution,
        deployments: DeploymentsRoom,
        realtime: Realtime,
        approvals: Approvals,
        agents: Agents,
        workflows: Workflows,
        targets: Targets,
        audit: AuditTrail,
        changes: Changes,
        clock: Clock,
    ) -> None:
        self.mirror = TriggerMirror(database)
        self.notifier = PrefectNotifier(
            database=database, deployments=deployments.service, clock=clock
        )
        self.secrets = TriggerSecrets(providers.secret_keys, clock)
        self.service = TriggerService(
            grants=access.grants,
            targets=TriggerTargets(
                workflows=workflows.service,
                planner=workflows.planner,
                agents=agents.service,
                agent_planner=agents.planner,
                addresses=settings.tool_policy,
            ),
            secrets=self.secrets,
            audit=audit,
            changes=changes.log,
            clock=clock,
            deployments=deployments.service,
        )
        self.recorder = FiringRecorder(
            database=database,
            mirror=self.mirror,
            triggers=self.service,
            runs=runlog.log,
            definitions={"workflow": workflows.service, "agent": agents.service},
            clock=clock,
            fired=self.notifier.fired,
        )
        changes.log.listen(self.recorder)
        runlog.log.listen(self.recorder.run_ended)
        runlog.log.listen(FiringEnds(runlog.log).run_ended)
        runlog.log.listen(ConnectionHealth(self.mirror, self.recorder).run_ended)
        notices = ApprovalNotices(
            mirror=self.mirror,
            recorder=self.recorder,
            runs=runlog.log,
            workspaces=workspaces.service,
            console_url=settings.console_url,
        )
        approvals.reminders.listeners.append(notices.waits)
        self.client_watch = ClientWatch(
            database=database,
            mirror=self.mirror,
            recorder=self.recorder,
            clients=realtime.live_clients,
        )
        self._templates = EventTemplates()
        deliveries = Deliveries(
            database=database,
            workspaces=workspaces.service,
            secrets=self.secrets,
            detached=execution.detached,
            runs=runlog.log,
            clock=clock,
        )
        execution.subjects[SOURCE] = deliveries
        execution.receivers[SOURCE] = deliveries
        runs = TriggeredRuns(templates=self._templates, targets=targets.runs)
        deployments.kinds.add(
            KIND,
            TriggerDeployments(
                database=database,
                triggers=self.service,
                workspaces=workspaces.service,
                claims=deployments.claims,
                start_run=runs.start,
                start_delivery=deliveries.start,
            ),
        )
        self.services = (
            self.service,
            TriggerViews(
                triggers=self.service,
                deployments=deployments.service,
                base_url=settings.console_url,
                clock=clock,
            ),
            Resending(triggers=self.service, clock=clock, fired=self.notifier.fired),
            InboundWebhooks(
                database=database,
                mirror=self.mirror,
                secrets=self.secrets,
                recorder=self.recorder,
                clock=clock,
            ),
        )

    def start(self) -> None:
        """Start notifying Prefect of firings, and checking for clients that are behind."""
        self.notifier.start()
        self.client_watch.start()

    async def stop(self) -> None:
        """Stop; pending firings are handled after the next start. Idempotent."""
        await self.client_watch.stop()
        await self.notifier.stop()
        await self._templates.aclose()
