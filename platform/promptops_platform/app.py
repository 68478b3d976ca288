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

from promptops_flows.engine_client import EngineClient
from promptops_platform import health
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
from promptops_platform.audit import endpoints as audit_endpoints
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.feed import Feed
from promptops_platform.changes.notifications import Notifications
from promptops_platform.changes.replicas import Replicas
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock, SystemClock
from promptops_platform.data_folder import instance_id
from promptops_platform.db.location import PostgresUrl
from promptops_platform.db.schema import hold_lock, migrate
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import StartRefused
from promptops_platform.http.allowed_hosts import AllowedHosts
from promptops_platform.http.cross_origin import CrossOrigin
from promptops_platform.http.error_answers import install_error_answers
from promptops_platform.http.request_body import RequestBody
from promptops_platform.http.request_context import RequestContext
from promptops_platform.openapi import endpoints as openapi_endpoints
from promptops_platform.openapi.schema import describe
from promptops_platform.prompts import endpoints as prompts_endpoints
from promptops_platform.prompts.history import ServedHistory
from promptops_platform.prompts.holding import PromptHolding
from promptops_platform.prompts.promotion import Promotion
from promptops_platform.prompts.service import PromptService
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
from promptops_platform.runs.executor import RunExecutor
from promptops_platform.runs.holding import RunHolding
from promptops_platform.runs.service import RunLog
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

log = structlog.get_logger(__name__)

ROUTERS = (
    health.router,
    access_endpoints.router,
    workspaces_endpoints.router,
    prompts_endpoints.router,
    rollouts_endpoints.router,
    workflows_endpoints.router,
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
    "workflows",
    "runs",
    "executor",
    "audit",
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
        self.workflows = WorkflowService(grants=grants, audit=audit, changes=changes, clock=clock)
        self.runs = RunLog(
            grants=grants,
            workspaces=self.workspaces,
            clock=clock,
            instance=instance_id(settings.data),
        )
        self.executor = RunExecutor(
            database=self.database,
            engine=EngineClient(settings.engine_socket),
            runs=self.runs,
            wait_seconds=settings.engine_wait_seconds,
        )
        self._compose_holdings()
        self.snapshot = Snapshot(self.database, self.prompts, self.rollouts, grants)
        self._compose_realtime(clock)

    def _compose_realtime(self, clock: Clock) -> None:
        self.realtime = Realtime(
            database=self.database,
            feed=self.feed,
            replicas=self.replicas,
            snapshot=self.snapshot,
            authenticator=self.authenticator,
            grants=self.grants,
            clock=clock,
        )
        self.hub = self.realtime.hub
        self.live_clients = self.realtime.live_clients
        self.environment_answers = self.realtime.environment_answers
        for consumer in (self.credentials, self.grants, self.snapshot):
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
            holdings=(prompts, WorkflowHolding(self.changes), RunHolding(), KeyHolding()),
            grants=self.grants,
            audit=self.audit,
            changes=self.changes,
        )

    async def prepare(self) -> None:
        """Bring the database to this release: schema, first rows, runs that a crash left open.

        Raises SchemaRefused for a database that is not ours. Harmless when repeated.
        """
        if self._prepared:
            return
        await migrate(self.database.engines)
        async with self.database.write() as transaction:
            await hold_lock(self.database.engines, transaction.session)
            await self.changes.seed(transaction)
            await self._seed_accounts(transaction)
            await self.workspaces.seed(transaction)
            interrupted = await self.runs.close_orphans(transaction)
        self._prepared = True
        if interrupted:
            log.warning("runs_interrupted", runs=interrupted)

    async def open_registry(self) -> None:
        """For a command that only writes to the registry, perhaps beside a platform that runs:
        its schema, and who may do what. Raises SchemaRefused."""
        await migrate(self.database.engines)
        async with self.database.write() as transaction:
            await hold_lock(self.database.engines, transaction.session)
            await self.changes.seed(transaction)
        await self.grants.load()

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
        if self.notifications is not None:
            self.notifications.start()

    async def stop(self) -> None:
        """Let the runs end, then let go of everything. Harmless when repeated."""
        await self.executor.drain(self.settings.drain_seconds)
        await self.realtime.stop()
        await self.uses.stop()
        await self.replicas.stop()
        if self.notifications is not None:
            await self.notifications.stop()
        await self.feed.stop()
        await self.database.close()


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
    return RequestContext(AllowedHosts(cors, settings.hosts), quiet=_is_fetch)


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
    )
    for name in ROOMS:
        setattr(api.state, name, getattr(platform, name))
    api.state.openapi = openapi
    install_error_answers(api)
    for router in ROUTERS:
        api.include_router(router)
    api.router.routes.append(WebSocketRoute("/ws", platform.realtime.watch))
    return api
