"""Builds the rooms of a platform, in their order and with their dependencies."""

from promptops_flows.telemetry.call_counts import CallCounts
from promptops_flows.telemetry.traced_calls import TracedCalls
from promptops_flows.telemetry.tracing import open_tracing
from promptops_platform.access.composition import Access
from promptops_platform.access.contents import KeyContents
from promptops_platform.access.grants import Grants
from promptops_platform.agents.composition import Agents
from promptops_platform.agents.service import AGENTS
from promptops_platform.approvals.composition import Approvals
from promptops_platform.audit.service import AuditTrail
from promptops_platform.catalog import summaries  # noqa: F401  follows changes of prompts
from promptops_platform.catalog.definition_usage import DefinitionUses
from promptops_platform.catalog.service import Catalog
from promptops_platform.change_requests.composition import ChangeRequests
from promptops_platform.changes.composition import Changes
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.definitions.composition import Definitions
from promptops_platform.definitions.contents import DefinitionContents, ServedEnvironments
from promptops_platform.deployments.composition import DeploymentsRoom
from promptops_platform.execution.composition import Execution
from promptops_platform.execution.contents import SuspendedRunContents
from promptops_platform.execution.places import Limit, Places
from promptops_platform.http.open_streams import OpenStreams
from promptops_platform.http.stop_signal import StopSignal
from promptops_platform.observability.composition import Observability
from promptops_platform.observability.counted_metrics import Metrics
from promptops_platform.playground.composition import Playground
from promptops_platform.prompts.composition import Prompts
from promptops_platform.prompts.contents import PromptContents
from promptops_platform.prompts.publishing import Publishing
from promptops_platform.providers.composition import Providers
from promptops_platform.providers.contents import ConnectionContents
from promptops_platform.realtime.composition import Realtime
from promptops_platform.rollouts.audit import RolloutAudit
from promptops_platform.rollouts.composition import Rollouts
from promptops_platform.rollouts.ending import RolloutEnding
from promptops_platform.runlog.callers import RunCallers
from promptops_platform.runlog.composition import RunLogRoom
from promptops_platform.runlog.contents import RunContents
from promptops_platform.runlog.prompt_calls import PromptCalls
from promptops_platform.runlog.redaction import policy_of
from promptops_platform.sample.service import SampleService
from promptops_platform.schedules.composition import Schedules
from promptops_platform.schedules.following import ScheduleContents
from promptops_platform.serving.composition import Serving
from promptops_platform.settings import Settings
from promptops_platform.supervision.start_work import NO_START_WORK, StartWork
from promptops_platform.system.service import SystemService
from promptops_platform.targets.composition import Targets
from promptops_platform.triggers.composition import Triggers
from promptops_platform.triggers.contents import TriggerContents
from promptops_platform.workers.composition import Workers
from promptops_platform.workflows.composition import Workflows
from promptops_platform.workflows.service import WORKFLOWS
from promptops_platform.workspaces.composition import Workspaces
from promptops_providers.observation import CallObserver, Observers


class Composition:
    """All rooms of one platform, lower ones first. Nothing is opened or started yet."""

    def __init__(
        self, settings: Settings, clock: Clock, start_work: StartWork = NO_START_WORK
    ) -> None:
        """`start_work` reports the start of engine and Prefect, if they are started together with
        the platform."""
        self.settings = settings
        self.text_policy = policy_of(
            texts=settings.run_texts,
            kinds=settings.run_redact,
            patterns=settings.run_redact_patterns,
        )
        self.tracing = open_tracing(
            settings.otel_endpoint, service="promptops", content=settings.trace_content
        )
        self.metrics, self.calls = Metrics(), CallCounts()
        self.stop_signal = StopSignal()
        self.open_streams = OpenStreams(settings.streams_per_caller)
        self.database = database = Database(settings.database_location)
        self.changes = changes = Changes(settings, database, clock)
        self._compose_registry(clock)
        self._compose_runs(clock, start_work)
        self.realtime = Realtime(
            database=database,
            feed=changes.feed,
            replicas=changes.replicas,
            snapshot=self.serving.snapshot,
            authenticator=self.access.authenticator,
            grants=self.access.grants,
            clock=clock,
            when_sent=self.metrics.sent,
            run_events=self.runlog.events,
            signals=changes.signals,
        )
        self._compose_top(clock)
        self._follow_the_feed()

    def _compose_registry(self, clock: Clock) -> None:
        settings, database, changes = self.settings, self.database, self.changes
        grants = Grants(database)
        self.audit = audit = AuditTrail(clock, grants)
        self.access = access = Access(
            settings, database, changes, clock, grants=grants, audit=audit
        )
        prompt_contents = PromptContents(changes.log)
        self._suspended_contents = SuspendedRunContents()
        self._trigger_contents = trigger_contents = TriggerContents()
        self.workspaces = Workspaces(
            access,
            audit,
            changes,
            clock,
            uses=(prompt_contents, ServedEnvironments()),
            contents=(
                trigger_contents,
                prompt_contents,
                DefinitionContents(WORKFLOWS, changes.log),
                DefinitionContents(AGENTS, changes.log),
                ConnectionContents(),
                # Before the runs, because it reads them.
                self._suspended_contents,
                RunContents(),
                KeyContents(),
                ScheduleContents(changes.log),
            ),
        )
        self.definitions = Definitions(access, self.workspaces)
        self.prompts = Prompts(
            access,
            self.workspaces,
            self.definitions,
            audit,
            changes,
            clock,
            rollouts=RolloutEnding(RolloutAudit(audit), clock),
        )
        self.rollouts = Rollouts(access, self.prompts, audit, changes, clock)
        self.serving = Serving(database, access, self.prompts, self.rollouts, changes)
        self.providers = Providers(
            settings, database, access, audit, changes, clock, observer=self._observer()
        )

    def _compose_runs(self, clock: Clock, start_work: StartWork) -> None:
        settings, database, access = self.settings, self.database, self.access
        self.runlog = runlog = RunLogRoom(
            settings,
            database,
            access,
            self.workspaces,
            clock,
            text_policy=self.text_policy,
            when_ended=self.metrics.run_ended,
            signals=self.changes.signals,
            streams=self.open_streams,
            stop=self.stop_signal,
        )
        self.execution = Execution(
            settings,
            database,
            access,
            self.changes,
            self.providers,
            runlog,
            clock,
            text_policy=self.text_policy,
            start_work=start_work,
            streams=self.open_streams,
            stop=self.stop_signal,
        )
        self._suspended_contents.flow_runs = self.execution.suspended_flow_runs
        self.deployments = DeploymentsRoom(settings, database, self.execution, clock)
        places = Places(
            kind="playground calls",
            per_caller=Limit(settings.playground_per_caller, "PROMPTOPS_PLAYGROUND_PER_CALLER"),
            per_workspace=Limit(
                settings.playground_per_workspace, "PROMPTOPS_PLAYGROUND_PER_WORKSPACE"
            ),
        )
        self.playground = Playground(
            database,
            access,
            self.providers,
            self.serving,
            runlog,
            clock,
            places=places,
            stop=self.stop_signal,
        )
        self.agents = Agents(
            settings,
            database,
            access,
            self.workspaces,
            self.definitions,
            self.providers,
            self.serving,
            runlog,
            self.execution,
            self.audit,
            self.changes,
            clock,
            text_policy=self.text_policy,
            places=places,
        )
        self.workflows = Workflows(
            database,
            access,
            self.workspaces,
            self.definitions,
            self.providers,
            self.serving,
            runlog,
            self.execution,
            self.audit,
            self.changes,
            clock,
            agents=self.agents.planner,
        )
        self._targets = targets = Targets(database, self.agents, self.workflows)
        self.schedules = Schedules(
            settings,
            database,
            access,
            self.workspaces,
            self.definitions,
            self.execution,
            self.deployments,
            targets,
            self.audit,
            self.changes,
            clock,
            text_policy=self.text_policy,
        )

        self.approvals = Approvals(
            settings,
            database,
            access,
            self.providers,
            self.execution,
            self.deployments,
            self.audit,
            clock,
            text_policy=self.text_policy,
        )
        self.workers = Workers(settings, database, runlog, self.execution, clock)

    def _compose_top(self, clock: Clock) -> None:
        """Build the rooms that combine others for people and programs."""
        self.publishing = Publishing(
            database=self.database,
            prompts=self.prompts.service,
            changes=self.changes.log,
            clients=self.realtime.live_clients,
        )
        self.change_requests = ChangeRequests(
            self.database,
            self.access,
            self.audit,
            self.changes,
            self.workspaces,
            self.definitions,
            self.prompts,
            self.rollouts,
            self.agents,
            self.workflows,
            self.deployments,
            clock,
        )
        self._trigger_contents.deployments = self.deployments.service
        self.triggers = Triggers(
            self.settings,
            self.database,
            self.access,
            self.workspaces,
            self.providers,
            self.runlog,
            self.execution,
            self.deployments,
            self.realtime,
            self.approvals,
            self.agents,
            self.workflows,
            self._targets,
            self.audit,
            self.changes,
            clock,
        )
        self.sample = SampleService(
            gate=self.definitions.gate,
            workspaces=self.workspaces.service,
            environments=self.workspaces.environments,
            prompts=self.prompts.service,
            promotion=self.prompts.promotion,
            agents=self.agents.service,
            workflows=self.workflows.service,
            keys=self.access.keys,
        )
        self.catalog = Catalog(
            grants=self.access.grants,
            workspaces=self.workspaces.service,
            prompts=self.prompts.service,
            agents=self.agents.service,
            workflows=self.workflows.service,
            holders=self.realtime.prompt_holders,
            calls=PromptCalls(clock),
        )
        self.definition_uses = DefinitionUses(
            grants=self.access.grants,
            agents=self.agents.service,
            workflows=self.workflows.service,
            callers=RunCallers(clock),
        )
        self.observability = Observability(
            self.settings,
            self.database,
            self.changes,
            self.serving,
            self.execution,
            self.realtime,
            self.deployments,
            self.workers,
            metrics=self.metrics,
            calls=self.calls,
        )
        self.system = SystemService(
            settings=self.settings,
            database=self.database,
            feed=self.changes.feed,
            replicas=self.changes.replicas,
            readiness=self.observability.readiness,
            deployments=self.deployments.service,
            hub=self.realtime.hub,
            runs_in_flight=lambda: self.execution.in_flight,
            clock=clock,
        )

    def _follow_the_feed(self) -> None:
        feed = self.changes.feed
        for consumer in (
            self.access.credentials,
            self.access.grants,
            self.providers.mirror,
            self.triggers.mirror,
            self.serving.snapshot,
            self.schedules.follower,
        ):
            feed.add(consumer)
        # After the consumers: an event is sent when its change can already be fetched.
        for announcer in (self.changes.replicas, self.realtime.hub):
            feed.announce_to(announcer)

    def _observer(self) -> CallObserver:
        if not self.tracing.is_on:
            return self.calls
        return Observers(self.calls, TracedCalls(self.tracing, self.text_policy))

    def services(self) -> tuple[object, ...]:
        """Return what routes depend on."""
        return (
            self.database,
            self.stop_signal,
            *self.changes.services,
            *self.access.services,
            self.audit,
            *self.workspaces.services,
            *self.prompts.services,
            self.publishing,
            *self.rollouts.services,
            *self.serving.services,
            *self.providers.services,
            *self.runlog.services,
            *self.execution.services,
            *self.approvals.services,
            *self.playground.services,
            *self.workflows.services,
            *self.workers.services,
            *self.agents.services,
            *self.schedules.services,
            *self.change_requests.services,
            *self.realtime.services,
            *self.triggers.services,
            self.sample,
            self.catalog,
            self.definition_uses,
            *self.observability.services,
            self.system,
        )
