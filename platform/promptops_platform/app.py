"""Puts the platform together; the one place that knows every room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache
from importlib.metadata import version
from typing import Any

import structlog
from fastapi import FastAPI
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp

from promptops_flows.call_counts import CallCounts
from promptops_flows.engine_client import EngineClient
from promptops_flows.traced_calls import TracedCalls
from promptops_flows.tracing import open_tracing
from promptops_platform.access import endpoints as access_endpoints
from promptops_platform.access.authentication import Authenticator
from promptops_platform.access.credentials import CredentialMirror
from promptops_platform.access.gate import Gate
from promptops_platform.access.grants import Grants
from promptops_platform.access.holding import KeyHolding
from promptops_platform.access.keys import KeyService
from promptops_platform.access.service import AccessService
from promptops_platform.access.users import UserService
from promptops_platform.access.uses import UseLog
from promptops_platform.agents import endpoints as agents_endpoints
from promptops_platform.agents.conversations import ConversationService
from promptops_platform.agents.holding import AgentHolding
from promptops_platform.agents.planning import AgentPlanner
from promptops_platform.agents.prompt_source import PromptSource
from promptops_platform.agents.running import AgentRuns
from promptops_platform.agents.service import AgentService
from promptops_platform.audit import endpoints as audit_endpoints
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.feed import Feed
from promptops_platform.changes.notifications import Notifications
from promptops_platform.changes.replicas import Replicas
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock, SystemClock
from promptops_platform.data_folder import instance_id
from promptops_platform.db.location import PostgresUrl, SqliteFile
from promptops_platform.db.schema import hold_lock, migrate
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import StartRefused
from promptops_platform.http.allowed_hosts import AllowedHosts
from promptops_platform.http.cross_origin import CrossOrigin
from promptops_platform.http.error_answers import install_error_answers
from promptops_platform.http.request_body import RequestBody
from promptops_platform.http.request_context import RequestContext
from promptops_platform.observability import endpoints as observability_endpoints
from promptops_platform.observability.gateway_calls import GatewayCalls
from promptops_platform.observability.metrics import Metrics
from promptops_platform.observability.readiness import Readiness
from promptops_platform.observability.readings import Readings
from promptops_platform.observability.server_spans import telemetry
from promptops_platform.openapi import endpoints as openapi_endpoints
from promptops_platform.openapi.schema import describe
from promptops_platform.playground import endpoints as playground_endpoints
from promptops_platform.playground.asking import Asker
from promptops_platform.playground.service import PlaygroundService
from promptops_platform.prompts import endpoints as prompts_endpoints
from promptops_platform.prompts.history import ServedHistory
from promptops_platform.prompts.holding import PromptHolding
from promptops_platform.prompts.promotion import Promotion
from promptops_platform.prompts.service import PromptService
from promptops_platform.providers import endpoints as providers_endpoints
from promptops_platform.providers.addresses import BaseUrls
from promptops_platform.providers.connections import ConnectionService
from promptops_platform.providers.holding import ConnectionHolding
from promptops_platform.providers.mirror import ConnectionMirror
from promptops_platform.providers.service import ProviderService
from promptops_platform.providers.vault import Vault
from promptops_platform.realtime import endpoints as realtime_endpoints
from promptops_platform.realtime.composition import Realtime
from promptops_platform.realtime.fetch import PATH as FETCH_PATH
from promptops_platform.realtime.fetch import FetchEndpoint
from promptops_platform.realtime.fetch_description import FETCH_DESCRIPTION
from promptops_platform.realtime.snapshot import Snapshot
from promptops_platform.rollouts import endpoints as rollouts_endpoints
from promptops_platform.rollouts.audit import RolloutAudit
from promptops_platform.rollouts.ending import RolloutEnding
from promptops_platform.rollouts.service import RolloutService
from promptops_platform.runs import endpoints as runs_endpoints
from promptops_platform.runs.call_log import CallLog
from promptops_platform.runs.executor import RunExecutor
from promptops_platform.runs.holding import RunHolding
from promptops_platform.runs.prices import PriceTable
from promptops_platform.runs.redaction import TextPolicy
from promptops_platform.runs.retention import RunRetention
from promptops_platform.runs.service import RunLog
from promptops_platform.runs.statistics import RunStatistics
from promptops_platform.sealing import Sealer, parsed_keys, stored_key
from promptops_platform.settings import Settings
from promptops_platform.workflows import endpoints as workflows_endpoints
from promptops_platform.workflows.holding import WorkflowHolding
from promptops_platform.workflows.service import WorkflowService
from promptops_platform.workspaces import endpoints as workspaces_endpoints
from promptops_platform.workspaces.environment_list import EnvironmentList
from promptops_platform.workspaces.environments import EnvironmentService
from promptops_platform.workspaces.members import MemberService
from promptops_platform.workspaces.removal import WorkspaceRemoval
from promptops_platform.workspaces.service import WorkspaceService
from promptops_providers.observation import Observers
from promptops_providers.pooled_gateway import Gateway

log = structlog.get_logger(__name__)

ROUTERS = (
    observability_endpoints.router,
    access_endpoints.router,
    workspaces_endpoints.router,
    prompts_endpoints.router,
    rollouts_endpoints.router,
    providers_endpoints.router,
    playground_endpoints.router,
    workflows_endpoints.router,
    agents_endpoints.router,
    runs_endpoints.router,
    audit_endpoints.router,
    realtime_endpoints.router,
    openapi_endpoints.router,
)
# What the routes find on `app.state`.
ROOMS = (
    "database",
    "grants",
    "access",
    "users",
    "keys",
    "workspaces",
    "workspace_removal",
    "members",
    "environment_list",
    "prompts",
    "promotion",
    "rollouts",
    "providers",
    "connections",
    "gateway",
    "playground",
    "asker",
    "workflows",
    "agents",
    "conversations",
    "agent_planner",
    "agent_runs",
    "runs",
    "run_statistics",
    "call_log",
    "prices",
    "executor",
    "audit",
    "hub",
    "readiness",
    "metrics",
    "live_clients",
    "changes",
    "feed",
    "environment_answers",
)


@cache
def openapi() -> dict[str, Any]:
    """The API's OpenAPI document."""
    return describe(ROUTERS, by_hand=[FETCH_DESCRIPTION])


class Platform:
    """All parts of one running platform, connected."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self._prepared = self._started = False
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
        self.asker = Asker(gateway=self.gateway, calls=self.call_log, clock=clock)
        engine = EngineClient(settings.engine_socket)
        self.executor = RunExecutor(
            database=self.database,
            engine=engine,
            runs=self.runs,
            wait_seconds=settings.engine_wait_seconds,
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
            self.settings.token.get_secret_value(), self.credentials, self.feed
        )
        self.access = AccessService(
            database=self.database,
            authenticator=self.authenticator,
            audit=self.audit,
            changes=self.changes,
            clock=clock,
            session_lifetime=lifetime,
        )
        self.users = UserService(
            access=self.access, audit=self.audit, changes=self.changes, clock=clock
        )
        self.keys = KeyService(
            grants=self.grants, audit=self.audit, changes=self.changes, clock=clock
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
        keys = parsed_keys(given.get_secret_value()) if given else stored_key(settings.data)
        self.vault = Vault(Sealer(keys))
        policy = settings.address_policy
        observer = (
            Observers(self.calls, TracedCalls(self.tracing)) if self.tracing.is_on else self.calls
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
            texts=TextPolicy.of(
                texts=settings.run_texts,
                kinds=settings.run_redact,
                patterns=settings.run_redact_patterns,
            ),
            clock=clock,
            instance=instance,
            when_ended=self.metrics.run_ended,
        )
        self.call_log = CallLog(database=self.database, runs=self.runs)
        self.run_statistics = RunStatistics(self.grants, clock)
        self.run_retention = RunRetention(
            database=self.database, clock=clock, days=settings.run_days, instance=instance
        )

    def _compose_observability(self, engine: EngineClient) -> None:
        self.readiness = Readiness(database=self.database, feed=self.feed, engine=engine)
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
            agents=self.agents, runs=self.runs, audit=self.audit, clock=clock
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

    async def prepare(self) -> None:
        """Bring the database to this release: schema, first rows, runs that a crash left open.

        Raises SchemaRefused for a database that is not ours, and StartRefused for secrets that
        are missing or wrong. Harmless when repeated.
        """
        if self._prepared:
            return
        await migrate(self.database.engines)
        async with self.database.write() as transaction:
            await hold_lock(self.database.engines, transaction.session)
            await self.changes.seed(transaction)
            await self.vault.check(transaction)
            await self._seed_accounts(transaction)
            await self.workspaces.seed(transaction)
            interrupted = await self.runs.close_orphans(transaction)
        self._prepared = True
        if interrupted:
            log.warning("runs_interrupted", runs=interrupted)

    async def open_registry(self) -> None:
        """For a command that only writes to the registry, perhaps beside a platform that runs:
        its schema, and who may do what. Raises SchemaRefused, and StartRefused where no platform
        has run: in the wrong folder, most likely, which stays as it is."""
        registry = self.settings.registry
        never_run = StartRefused(
            f"no PromptOps has run on {registry} yet; start one first, or name the data folder or "
            "database of yours (PROMPTOPS_DATA, PROMPTOPS_DATABASE_URL)"
        )
        if isinstance(registry, SqliteFile) and not registry.path.exists():
            raise never_run
        await migrate(self.database.engines)
        async with self.database.write() as transaction:
            await hold_lock(self.database.engines, transaction.session)
            await self.changes.seed(transaction)
        await self.grants.load()
        if not self.grants.ranks:
            raise never_run

    async def _seed_accounts(self, transaction: Transaction) -> None:
        """Raises StartRefused for default secrets in production."""
        production = self.settings.env == "production"
        if production and self.settings.uses_default_token:
            raise StartRefused(
                "PROMPTOPS_ENV is production and the static token is the one everybody knows; set "
                "PROMPTOPS_TOKEN to a secret of your own"
            )
        given = self.settings.admin_password
        await self.access.seed(
            transaction,
            password=given.get_secret_value() if given else None,
            production=production,
        )

    async def start(self) -> None:
        """Load what is served and follow the changes. Harmless when repeated."""
        if self._started:
            return
        self._started = True
        await self.feed.start()
        await self.replicas.start()
        self.realtime.start()
        self.uses.start()
        self.run_retention.start()
        self.call_log.start()
        if self.notifications is not None:
            self.notifications.start()

    async def stop(self) -> None:
        """Let the runs end, then let go of everything. Harmless when repeated."""
        await self.executor.drain(self.settings.drain_seconds)
        await self.readiness.stop()
        await self.realtime.stop()
        await self.uses.stop()
        await self.replicas.stop()
        await self.run_retention.stop()
        await self.call_log.stop()
        if self.notifications is not None:
            await self.notifications.stop()
        await self.feed.stop()
        await self.gateway.aclose()
        await self.database.close()
        await self.tracing.close()


def create_app(settings: Settings, *, clock: Clock | None = None) -> ASGIApp:
    """The platform as an ASGI application; its lifespan migrates, loads, and drains the runs."""
    return asgi(Platform(settings, clock or SystemClock()))


def asgi(platform: Platform) -> ASGIApp:
    """The layers that a request passes, outermost last."""
    settings = platform.settings
    api = _api(platform)
    fetch = FetchEndpoint(
        Gate(RequestBody(api, limit=settings.max_body_bytes), platform.authenticator),
        snapshot=platform.snapshot,
        authenticator=platform.authenticator,
        feed=platform.feed,
    )
    cors = CrossOrigin(
        fetch,
        allow_origins=settings.origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=[
            "etag",
            "x-request-id",
            "retry-after",
            "x-promptops-revision",
            "x-promptops-epoch",
        ],
    )
    return RequestContext(
        AllowedHosts(cors, settings.hosts),
        quiet=_is_fetch,
        answered=platform.metrics.answers.answered,
    )


def _is_fetch(path: str) -> bool:
    return path.startswith(FETCH_PATH)


def _api(platform: Platform) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_api: FastAPI) -> AsyncIterator[None]:
        try:
            await platform.prepare()
            await platform.start()
            yield
        finally:
            await platform.stop()

    api = FastAPI(
        title="PromptOps",
        version=version("promptops"),
        description="Edit, publish and observe prompts and workflows while programs use them.",
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,
        telemetry=telemetry(platform.tracing),
    )
    for name in ROOMS:
        setattr(api.state, name, getattr(platform, name))
    api.state.openapi = openapi
    install_error_answers(api)
    for router in ROUTERS:
        api.include_router(router)
    api.router.routes.append(WebSocketRoute("/ws", platform.realtime.watch))
    return api
