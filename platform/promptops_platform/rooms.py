"""Every room of a platform, connected: who needs what is said here and nowhere else."""

from datetime import timedelta

from promptops_flows.call_counts import CallCounts
from promptops_flows.engine_client import EngineClient
from promptops_flows.traced_calls import TracedCalls
from promptops_flows.tracing import open_tracing
from promptops_platform.access.authentication import Authenticator
from promptops_platform.access.credentials import CredentialMirror
from promptops_platform.access.grants import Grants
from promptops_platform.access.holding import KeyHolding
from promptops_platform.access.keys import KeyService
from promptops_platform.access.service import AccessService
from promptops_platform.access.token_guesses import TokenGuesses
from promptops_platform.access.users import UserService
from promptops_platform.access.uses import UseLog
from promptops_platform.agents.conversations import ConversationService
from promptops_platform.agents.holding import AgentHolding
from promptops_platform.agents.memory import ConversationMemory
from promptops_platform.agents.planning import AgentPlanner
from promptops_platform.agents.prompt_source import PromptSource
from promptops_platform.agents.running import AgentRuns
from promptops_platform.agents.service import AgentService
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.feed import Feed
from promptops_platform.changes.notifications import Notifications
from promptops_platform.changes.replicas import Replicas
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.data_folder import instance_id
from promptops_platform.db.location import PostgresUrl, SqliteFile
from promptops_platform.db.unit_of_work import Database
from promptops_platform.observability.gateway_calls import GatewayCalls
from promptops_platform.observability.metrics import Metrics
from promptops_platform.observability.readiness import Readiness
from promptops_platform.observability.readings import Readings
from promptops_platform.playground.asking import Asker
from promptops_platform.playground.service import PlaygroundService
from promptops_platform.prompts.history import ServedHistory
from promptops_platform.prompts.holding import PromptHolding
from promptops_platform.prompts.promotion import Promotion
from promptops_platform.prompts.service import PromptService
from promptops_platform.providers.addresses import BaseUrls
from promptops_platform.providers.connections import ConnectionService
from promptops_platform.providers.holding import ConnectionHolding
from promptops_platform.providers.mirror import ConnectionMirror
from promptops_platform.providers.service import ProviderService
from promptops_platform.providers.vault import Vault
from promptops_platform.realtime.composition import Realtime
from promptops_platform.realtime.snapshot import Snapshot
from promptops_platform.rollouts.audit import RolloutAudit
from promptops_platform.rollouts.ending import RolloutEnding
from promptops_platform.rollouts.service import RolloutService
from promptops_platform.runs.call_journal import CallJournal
from promptops_platform.runs.call_log import CallLog
from promptops_platform.runs.executor import RunExecutor
from promptops_platform.runs.holding import RunHolding
from promptops_platform.runs.places import Limit, Places
from promptops_platform.runs.prices import PriceTable
from promptops_platform.runs.redaction import StoredTexts, policy_of
from promptops_platform.runs.retention import RunRetention
from promptops_platform.runs.service import RunLog
from promptops_platform.runs.statistics import RunStatistics
from promptops_platform.sealing import SecretKeys
from promptops_platform.settings import Settings
from promptops_platform.supervision.start_work import NO_START_WORK, StartWork
from promptops_platform.workflows.holding import WorkflowHolding
from promptops_platform.workflows.service import WorkflowService
from promptops_platform.workspaces.environment_list import EnvironmentList
from promptops_platform.workspaces.environments import EnvironmentService
from promptops_platform.workspaces.members import MemberService
from promptops_platform.workspaces.removal import WorkspaceRemoval
from promptops_platform.workspaces.service import WorkspaceService
from promptops_providers.observation import Observers
from promptops_providers.pooled_gateway import Gateway


class Rooms:
    """The services of one platform. Nothing is opened or started yet."""

    def __init__(
        self, settings: Settings, clock: Clock, start_work: StartWork = NO_START_WORK
    ) -> None:
        """`start_work` is that of engine and Prefect, where they are started along with it."""
        self.settings = settings
        self.text_policy = policy_of(
            texts=settings.run_texts,
            kinds=settings.run_redact,
            patterns=settings.run_redact_patterns,
        )
        self.metrics = Metrics()
        self.calls = CallCounts()
        self.tracing = open_tracing(
            settings.otel_endpoint, service="promptops", content=settings.trace_content
        )
        self.database = Database(settings.registry)
        self.feed = Feed(self.database, clock)
        self.replicas = Replicas(self.database, self.feed)
        self.notifications = (
            Notifications(settings.registry, self.feed, self.replicas)
            if isinstance(settings.registry, PostgresUrl)
            else None
        )
        self.changes = changes = ChangeLog(self.feed, clock)
        self.grants = grants = Grants(self.database)
        self.audit = audit = AuditTrail(clock, grants)
        self._compose_access(clock)
        self.environments = EnvironmentService(grants)
        self.workspaces = WorkspaceService(
            grants=grants,
            environments=self.environments,
            audit=audit,
            changes=changes,
            clock=clock,
        )
        self.members = MemberService(
            workspaces=self.workspaces, users=self.users, audit=audit, changes=changes, clock=clock
        )
        self.history = ServedHistory(clock)
        rollout_audit = RolloutAudit(audit)
        self.prompts = PromptService(
            grants=grants,
            environments=self.environments,
            history=self.history,
            rollouts=RolloutEnding(rollout_audit, clock),
            audit=audit,
            changes=changes,
            clock=clock,
        )
        self.promotion = Promotion(
            prompts=self.prompts,
            environments=self.environments,
            history=self.history,
            audit=audit,
            changes=changes,
            clock=clock,
        )
        self.rollouts = RolloutService(
            prompts=self.prompts,
            environments=self.environments,
            history=self.history,
            audit=rollout_audit,
            changes=changes,
            clock=clock,
        )
        self._compose_providers(clock)
        self.workflows = WorkflowService(
            grants=grants, providers=self.providers, audit=audit, changes=changes, clock=clock
        )
        self._compose_runs(clock)
        self.playground = PlaygroundService(
            grants=grants, prompts=self.prompts, connections=self.providers
        )
        self.asker = Asker(
            gateway=self.gateway,
            calls=self.call_log,
            places=Places(
                kind="playground calls",
                per_caller=Limit(settings.playground_per_caller, "PROMPTOPS_PLAYGROUND_PER_CALLER"),
                per_workspace=Limit(
                    settings.playground_per_workspace, "PROMPTOPS_PLAYGROUND_PER_WORKSPACE"
                ),
            ),
            clock=clock,
        )
        engine = EngineClient(settings.engine_socket)
        self.executor = RunExecutor(
            database=self.database,
            engine=engine,
            runs=self.runs,
            places=Places(
                kind="runs",
                per_caller=Limit(settings.most_runs_per_caller, "PROMPTOPS_RUNS_PER_CALLER"),
                per_workspace=Limit(
                    settings.most_runs_per_workspace, "PROMPTOPS_RUNS_PER_WORKSPACE"
                ),
            ),
            wait_seconds=settings.engine_wait_seconds,
            start_work=start_work,
        )
        self._compose_agents(clock)
        self._compose_holdings()
        self.snapshot = Snapshot(self.database, self.prompts, self.rollouts, grants)
        self._compose_realtime(clock)
        self._compose_observability(engine)

    def _compose_realtime(self, clock: Clock) -> None:
        self.realtime = Realtime(
            database=self.database,
            feed=self.feed,
            replicas=self.replicas,
            snapshot=self.snapshot,
            authenticator=self.authenticator,
            grants=self.grants,
            clock=clock,
            when_sent=self.metrics.sent,
        )
        self.hub = self.realtime.hub
        self.live_clients = self.realtime.live_clients
        self.environment_answers = self.realtime.environment_answers
        for consumer in (self.credentials, self.grants, self.connection_mirror, self.snapshot):
            self.feed.add(consumer)
        # After the consumers: an event goes out when its change can already be fetched.
        for announcer in (self.replicas, self.hub):
            self.feed.announce_to(announcer)

    def _compose_access(self, clock: Clock) -> None:
        lifetime = timedelta(hours=self.settings.session_hours)
        self.credentials = CredentialMirror(self.database, clock)
        self.authenticator = Authenticator(
            self.settings.token.get_secret_value(),
            self.credentials,
            self.feed,
            TokenGuesses(clock),
        )
        self.access = AccessService(
            database=self.database,
            authenticator=self.authenticator,
            credentials=self.credentials,
            audit=self.audit,
            changes=self.changes,
            clock=clock,
            session_lifetime=lifetime,
        )
        self.keys = KeyService(
            grants=self.grants, audit=self.audit, changes=self.changes, clock=clock
        )
        self.users = UserService(
            access=self.access,
            keys=self.keys,
            audit=self.audit,
            changes=self.changes,
            clock=clock,
        )
        self.uses = UseLog(
            database=self.database,
            credentials=self.credentials,
            access=self.access,
            keys=self.keys,
            session_lifetime=lifetime,
        )

    def _compose_providers(self, clock: Clock) -> None:
        settings = self.settings
        given = settings.secret_key
        self.secret_keys = SecretKeys(settings.data, given.get_secret_value() if given else None)
        self.vault = Vault(self.secret_keys)
        policy = settings.address_policy
        observer = (
            Observers(self.calls, TracedCalls(self.tracing, self.text_policy))
            if self.tracing.is_on
            else self.calls
        )
        self.gateway = Gateway(policy, observer=observer)
        urls = BaseUrls(policy)
        self.connection_mirror = ConnectionMirror(self.database)
        self.providers = ProviderService(
            grants=self.grants, mirror=self.connection_mirror, vault=self.vault, urls=urls
        )
        self.connections = ConnectionService(
            grants=self.grants,
            vault=self.vault,
            urls=urls,
            audit=self.audit,
            changes=self.changes,
            clock=clock,
        )

    def _compose_runs(self, clock: Clock) -> None:
        settings = self.settings
        instance = instance_id(settings.data)
        self.prices = PriceTable.load(settings.prices)
        self.runs = RunLog(
            grants=self.grants,
            workspaces=self.workspaces,
            prices=self.prices,
            texts=StoredTexts(self.text_policy),
            clock=clock,
            instance=instance,
            when_ended=self.metrics.run_ended,
        )
        self.call_log = CallLog(
            database=self.database, runs=self.runs, journal=CallJournal(settings.data)
        )
        self.run_statistics = RunStatistics(self.grants, clock)
        self.run_retention = RunRetention(
            database=self.database, clock=clock, days=settings.run_days, instance=instance
        )

    def _compose_observability(self, engine: EngineClient) -> None:
        folders = [self.settings.data]
        if isinstance(self.settings.registry, SqliteFile):
            folders.append(self.settings.registry.path.absolute().parent)
        self.readiness = Readiness(
            database=self.database, feed=self.feed, engine=engine, folders=folders
        )
        readings = Readings(
            readiness=self.readiness,
            database=self.database,
            feed=self.feed,
            snapshot=self.snapshot,
            hub=self.hub,
            executor=self.executor,
        )
        self.gateway_calls = GatewayCalls(self.calls, engine)
        for source in (readings, self.gateway_calls):
            self.metrics.add(source)

    def _compose_agents(self, clock: Clock) -> None:
        self.agents = AgentService(
            grants=self.grants,
            providers=self.providers,
            audit=self.audit,
            changes=self.changes,
            clock=clock,
        )
        self.conversations = ConversationService(
            agents=self.agents,
            memory=ConversationMemory(self.text_policy, self.secret_keys),
            runs=self.runs,
            audit=self.audit,
            clock=clock,
        )
        self.agent_planner = AgentPlanner(
            agents=self.agents,
            prompts=PromptSource(self.prompts, self.rollouts),
            conversations=self.conversations,
            workspaces=self.workspaces,
        )
        self.agent_runs = AgentRuns(executor=self.executor, conversations=self.conversations)

    def _compose_holdings(self) -> None:
        prompts = PromptHolding(self.changes)
        self.environment_list = EnvironmentList(
            workspaces=self.workspaces,
            environments=self.environments,
            use=prompts,
            audit=self.audit,
        )
        self.workspace_removal = WorkspaceRemoval(
            workspaces=self.workspaces,
            holdings=(
                prompts,
                WorkflowHolding(self.changes),
                AgentHolding(self.changes),
                ConnectionHolding(),
                RunHolding(),
                KeyHolding(),
            ),
            grants=self.grants,
            audit=self.audit,
            changes=self.changes,
        )
