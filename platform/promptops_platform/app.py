"""The platform as an ASGI application: its routes and middleware."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp

from promptops_platform.access import endpoints as access_endpoints
from promptops_platform.access import session_endpoints
from promptops_platform.access.actor import Actor
from promptops_platform.access.gate import Gate
from promptops_platform.access.permissions import Role
from promptops_platform.access.session_cookie import SessionCookie
from promptops_platform.agents import endpoints as agents_endpoints
from promptops_platform.agents import tool_endpoints as agent_tools_endpoints
from promptops_platform.approvals import endpoints as approvals_endpoints
from promptops_platform.approvals import link_endpoints as approval_links_endpoints
from promptops_platform.approvals import page_endpoints as approval_page_endpoints
from promptops_platform.audit import endpoints as audit_endpoints
from promptops_platform.catalog import endpoints as catalog_endpoints
from promptops_platform.catalog import usage_endpoints
from promptops_platform.change_requests import endpoints as change_requests_endpoints
from promptops_platform.change_requests.refused_changes import (
    PROPOSED_DESCRIPTION,
    install_proposals,
)
from promptops_platform.clock import Clock, SystemClock
from promptops_platform.console.pages import ConsolePages
from promptops_platform.execution import endpoints as execution_endpoints
from promptops_platform.execution import event_endpoints as run_event_endpoints
from promptops_platform.http.allowed_hosts import AllowedHosts
from promptops_platform.http.cross_origin import CrossOrigin
from promptops_platform.http.error_answers import install_error_answers
from promptops_platform.http.loop_share import FloodGate, LoopShare
from promptops_platform.http.methods import Methods
from promptops_platform.http.path_prefix import PathPrefix
from promptops_platform.http.request_body import RequestBody
from promptops_platform.http.request_context import RequestContext
from promptops_platform.http.services import Services
from promptops_platform.lifecycle import Platform
from promptops_platform.observability import endpoints as observability_endpoints
from promptops_platform.observability.server_spans import telemetry
from promptops_platform.openapi import endpoints as openapi_endpoints
from promptops_platform.openapi.document import ApiDocument
from promptops_platform.openapi.schema import describe
from promptops_platform.playground import endpoints as playground_endpoints
from promptops_platform.prompts import endpoints as prompts_endpoints
from promptops_platform.providers import endpoints as providers_endpoints
from promptops_platform.realtime import endpoints as realtime_endpoints
from promptops_platform.realtime.watch_path import PATH as WATCH_PATH
from promptops_platform.realtime.watch_path import WatchPath
from promptops_platform.rollouts import endpoints as rollouts_endpoints
from promptops_platform.runlog import endpoints as runs_endpoints
from promptops_platform.sample import endpoints as sample_endpoints
from promptops_platform.schedules import endpoints as schedules_endpoints
from promptops_platform.serving import endpoints as serving_endpoints
from promptops_platform.serving.fetch import PATH as FETCH_PATH
from promptops_platform.serving.fetch import FetchEndpoint
from promptops_platform.serving.fetch_description import FETCH_DESCRIPTION
from promptops_platform.serving.fetch_lane import FetchLane
from promptops_platform.settings import Settings
from promptops_platform.system import endpoints as system_endpoints
from promptops_platform.triggers import endpoints as triggers_endpoints
from promptops_platform.triggers import hook_endpoints
from promptops_platform.workers import endpoints as workers_endpoints
from promptops_platform.workflows import endpoints as workflows_endpoints
from promptops_platform.workspaces import endpoints as workspaces_endpoints

WORKER_BODY_BYTES = 64 * 1024 * 1024

ROUTERS = (
    observability_endpoints.router,
    access_endpoints.router,
    session_endpoints.router,
    workspaces_endpoints.router,
    prompts_endpoints.router,
    catalog_endpoints.router,
    usage_endpoints.agents,
    usage_endpoints.workflows,
    rollouts_endpoints.router,
    providers_endpoints.router,
    playground_endpoints.router,
    workflows_endpoints.router,
    workers_endpoints.router,
    agents_endpoints.router,
    change_requests_endpoints.router,
    triggers_endpoints.router,
    hook_endpoints.router,
    schedules_endpoints.router,
    sample_endpoints.router,
    agent_tools_endpoints.router,
    runs_endpoints.router,
    execution_endpoints.router,
    run_event_endpoints.router,
    approvals_endpoints.router,
    approval_links_endpoints.router,
    approval_page_endpoints.router,
    audit_endpoints.router,
    serving_endpoints.router,
    realtime_endpoints.router,
    system_endpoints.router,
    openapi_endpoints.router,
)


@cache
def openapi() -> dict[str, Any]:
    """Return the API's OpenAPI document."""
    return describe(ROUTERS, by_hand=[FETCH_DESCRIPTION, PROPOSED_DESCRIPTION])


def create_app(settings: Settings, *, clock: Clock | None = None) -> ASGIApp:
    """Return the platform as an ASGI application. Its lifespan migrates the database, loads what is
    served, and drains the runs."""
    return asgi(Platform(settings, clock or SystemClock()))


def asgi(platform: Platform) -> ASGIApp:
    """Wrap the API in its middleware, outermost last."""
    settings = platform.settings
    api = _api(platform)
    methods = Methods(api, routes=api.routes, read_only_prefix=FETCH_PATH)
    fetch = FetchEndpoint(
        Gate(
            RequestBody(
                FloodGate(methods, LoopShare(platform.database.turns)),
                limit=settings.max_body_bytes,
                limit_of=_body_limit,
            ),
            platform.access.authenticator,
        ),
        snapshot=platform.serving.snapshot,
        authenticator=platform.access.authenticator,
        feed=platform.changes.feed,
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
    prefix = settings.path_prefix
    layers: ASGIApp = WatchPath(ConsolePages(SessionCookie(cors), prefix=prefix))
    hosts = AllowedHosts(PathPrefix(layers, prefix) if prefix else layers, settings.hosts)
    answered = platform.metrics.answers.answered
    return FetchLane(
        RequestContext(hosts, quiet=_is_fetch, answered=answered),
        fetch,
        hosts=hosts,
        authenticator=platform.access.authenticator,
        feed=platform.changes.feed,
        answered=answered,
    )


def _body_limit(actor: Actor) -> int | None:
    # Workers report complete outputs of steps.
    return WORKER_BODY_BYTES if actor.role is Role.WORKER else None


def _is_fetch(path: str) -> bool:
    return path.startswith(FETCH_PATH)


def _api(platform: Platform) -> FastAPI:
    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        try:
            await asyncio.gather(platform.prepare(), asyncio.to_thread(_resolve_routes, api))
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
    api.state.services = Services(ApiDocument(openapi), *platform.services())
    install_error_answers(api)
    install_proposals(api)
    for router in ROUTERS:
        api.include_router(router)
    api.router.routes.append(WebSocketRoute(WATCH_PATH, platform.realtime.watch))
    return api


def _resolve_routes(api: FastAPI) -> None:
    """Resolve the routes now. FastAPI would do so at the first request, which blocks the event loop
    for a third of a second."""
    for _ in iter_route_contexts(api.routes):
        pass
