"""Who may call what: every route, for every kind of caller, in an open and a restricted workspace.

A new route needs a row in TABLE. Where it takes a body or a query, it needs a line in BODIES or
QUERIES as well, and a parameter of its path that is new a line in PARAMETERS.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import httpx
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute
from starlette.routing import Route, WebSocketRoute
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from harness import places
from harness.callers import PASSWORD, new_account
from harness.engine import EngineProcess, use_engine
from harness.people import join
from harness.places import CLASSIFIED, Place
from harness.platform import (
    TOKEN,
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_key,
    new_settings,
    next_event,
    running_platform,
)
from harness.postgres import Postgres
from promptops_platform.app import ROUTERS, asgi
from promptops_platform.ids import new_id
from promptops_platform.serving.fetch import PATH as FETCH_PATH

EVERYWHERE = ("nobody", "revoked")
IN_PLACE = ("viewer", "editor", "admin", "sdk", "outsider")

# The callers are described at `Place`. `-`: the route is of no workspace.
TABLE = """
                                                  nobody      open workspace       restricted one
                                                     revoked  view edit admn sdk out  view edit admn sdk out

GET    /health                                       200 200 | 200 200 200 200 200 | -
GET    /ready                                        200 200 | 200 200 200 200 200 | -
GET    /metrics                                      401 401 | 403 403 200 403 403 | -
GET    /docs                                         200 200 | 200 200 200 200 200 | -
GET    /docs/assets/{name}                           200 200 | 200 200 200 200 200 | -
GET    /openapi.json                                 200 200 | 200 200 200 200 200 | -

POST   /api/login                                    200 200 | 200 200 200 200 200 | -
GET    /api/session                                  200 200 | 200 200 200 200 200 | -
POST   /api/session                                  200 200 | 200 200 200 200 200 | -
POST   /api/logout                                   401 401 | 200 200 200 403 200 | -
GET    /api/me                                       401 401 | 200 200 200 403 200 | -
PUT    /api/me/password                              401 401 | 200 200 200 403 200 | -
DELETE /api/me/sessions                              401 401 | 200 200 200 403 200 | -
GET    /api/users                                    401 401 | 403 403 200 403 403 | -
POST   /api/users                                    401 401 | 403 403 200 403 403 | -
PUT    /api/users/{user_id}                          401 401 | 403 403 200 403 403 | -
DELETE /api/users/{user_id}                          401 401 | 403 403 200 403 403 | -
GET    /api/keys                                     401 401 | 403 403 200 403 200 | 403 403 200 403 404
POST   /api/keys                                     401 401 | 403 403 200 403 403 | 403 403 200 403 404
DELETE /api/keys/{key_id}                            401 401 | 403 403 200 403 404 | 403 403 200 403 404
POST   /api/keys/{key_id}/adopt                      401 401 | 403 403 200 403 404 | 403 403 200 403 404

GET    /api/workspaces                               401 401 | 200 200 200 403 200 | -
POST   /api/workspaces                               401 401 | 403 200 200 403 200 | -
GET    /api/workspaces/{workspace_id}                401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/workspaces/{workspace_id}                401 401 | 403 403 200 403 403 | 403 403 200 403 404
DELETE /api/workspaces/{workspace_id}                401 401 | 403 403 200 403 403 | 403 403 403 403 403
GET    /api/workspaces/{workspace_id}/members        401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/workspaces/{workspace_id}/members/{user} 401 401 | 403 403 200 403 403 | 403 403 200 403 404
DELETE /api/workspaces/{workspace_id}/members/{user} 401 401 | 403 403 200 403 403 | 403 403 200 403 404
GET    /api/workspaces/{workspace_id}/environments   401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/workspaces/{workspace_id}/environments   401 401 | 403 403 200 403 403 | 403 403 200 403 404

GET    /api/prompts                                  401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/prompts                                  401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/prompts/publish                          401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/prompts/rollback                         401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/prompts/{prompt_id}                      401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/prompts/{prompt_id}                      401 401 | 403 200 200 403 200 | 403 200 200 403 404
DELETE /api/prompts/{prompt_id}                      401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/prompts/{prompt_id}/versions             401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/prompts/{prompt_id}/versions             401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/prompts/{prompt_id}/history              401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/prompts/{prompt_id}/diff                 401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/prompts/{prompt_id}/promote              401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/prompts/{prompt_id}/rollout              401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/prompts/{prompt_id}/usage                401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/prompt-keys                              401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/prompt-keys/facets                       401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/prompt-keys/calls                        401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/prompt-keys/programs                     401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/prompts/{prompt_id}/rollout              401 401 | 403 200 200 403 200 | 403 200 200 403 404
DELETE /api/prompts/{prompt_id}/rollout              401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/rollouts                                 401 401 | 200 200 200 403 200 | 200 200 200 403 404

GET    /api/sdk/prompts/{key}                        401 401 | 200 200 200 200 200 | 200 200 200 200 404
HEAD   /api/sdk/prompts/{key}                        401 401 | 200 200 200 200 200 | 200 200 200 200 404
GET    /api/sdk/snapshot                             401 401 | 200 200 200 200 200 | 200 200 200 200 404
WS     /ws                                           401 401 | 101 101 101 101 101 | 101 101 101 101 101
GET    /api/clients                                  401 401 | 200 200 200 403 200 | -

GET    /api/workflows                                401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/workflows                                401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/workflows/{workflow_id}                  401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/workflows/{workflow_id}/usage            401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/workflows/{workflow_id}                  401 401 | 403 200 200 403 200 | 403 200 200 403 404
DELETE /api/workflows/{workflow_id}                  401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/workflows/{workflow_id}/versions         401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/workflows/{workflow_id}/versions         401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/workflows/{workflow_id}/versions/{version} 401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/workflows/{workflow_id}/history          401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/workflows/{workflow_id}/diff             401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/workflows/{workflow_id}/publish          401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/workflows/{workflow_id}/rollback         401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/workflows/{workflow_id}/promote          401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/workflows/validate                       401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/workflows/{workflow_id}/run              401 401 | 200 200 200 403 200 | 200 200 200 403 404

GET    /api/schedules                                401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/schedules                                401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/schedules/times                          401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/schedules/preview                        401 401 | 200 200 200 403 200 | -
GET    /api/schedules/{schedule_id}                  401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/schedules/{schedule_id}                  401 401 | 403 200 200 403 200 | 403 200 200 403 404
DELETE /api/schedules/{schedule_id}                  401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/schedules/{schedule_id}/pause            401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/schedules/{schedule_id}/resume           401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/schedules/{schedule_id}/run              401 401 | 403 202 202 403 202 | 403 202 202 403 404

GET    /api/providers                                401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/providers                                401 401 | 403 403 200 403 403 | 403 403 200 403 404
GET    /api/providers/{connection_id}                401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/providers/{connection_id}                401 401 | 403 403 200 403 403 | 403 403 200 403 404
DELETE /api/providers/{connection_id}                401 401 | 403 403 200 403 403 | 403 403 200 403 404
POST   /api/providers/{connection_id}/test           401 401 | 403 403 200 403 403 | 403 403 200 403 404

GET    /api/playground/providers                     401 401 | 200 200 200 403 200 | -
POST   /api/playground/run                           401 401 | 200 200 200 403 200 | 200 200 200 403 404

GET    /api/agents                                   401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/agents                                   401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/agents/{agent_id}                        401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/agents/{agent_id}/usage                  401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/agents/{agent_id}                        401 401 | 403 200 200 403 200 | 403 200 200 403 404
DELETE /api/agents/{agent_id}                        401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/agents/{agent_id}/versions               401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/agents/{agent_id}/versions               401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/agents/{agent_id}/versions/{version}     401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/agents/{agent_id}/history                401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/agents/{agent_id}/diff                   401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/agents/{agent_id}/publish                401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/agents/{agent_id}/rollback               401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/agents/{agent_id}/promote                401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/agents/{agent_id}/run                    401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/agents/{agent_id}/tools/try              401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/agents/{agent_id}/conversations          401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/agents/{agent_id}/conversations/{conversation_id} 401 401 | 200 200 200 403 200 | 200 200 200 403 404
DELETE /api/agents/{agent_id}/conversations/{conversation_id} 401 401 | 403 200 200 403 200 | 403 200 200 403 404

GET    /api/change-requests                          401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/change-requests/{request_id}             401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/change-requests/{request_id}/comments    401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/change-requests/{request_id}/approve     401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/change-requests/{request_id}/reject      401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/change-requests/{request_id}/withdraw    401 401 | 403 403 200 403 403 | 403 403 200 403 404
POST   /api/change-requests/{request_id}/refresh     401 401 | 403 403 403 403 403 | 403 403 403 403 404
POST   /api/change-requests/{request_id}/schedule    401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/change-requests/{request_id}/apply       401 401 | 403 403 200 403 403 | 403 403 200 403 404
GET    /api/triggers                                 401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/triggers                                 401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/triggers/{trigger_id}                    401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/triggers/{trigger_id}                    401 401 | 403 200 200 403 200 | 403 200 200 403 404
DELETE /api/triggers/{trigger_id}                    401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/triggers/{trigger_id}/rotate-secret      401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/triggers/{trigger_id}/deliveries         401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/triggers/{trigger_id}/deliveries/{delivery_id}/resend 401 401 | 403 202 202 403 202 | 403 202 202 403 404
POST   /hooks/{hook}                                 404 404 | 404 404 404 404 404 | -

GET    /api/sample                                   401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/sample                                   401 401 | 403 403 200 403 403 | 403 403 200 403 404
DELETE /api/sample                                   401 401 | 403 403 200 403 403 | 403 403 200 403 404

GET    /api/runs                                     401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/runs/stats                               401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/runs/points                              401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/runs/{run_id}                            401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/runs/{run_id}/events                     401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/runs/{run_id}/cancel                     401 401 | 202 202 202 403 202 | 202 202 202 403 404
POST   /api/runs/{run_id}/retry                      401 401 | 202 202 202 403 202 | 202 202 202 403 404
GET    /api/approvals                                401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/approvals/{approval_id}                  401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/approvals/{approval_id}/approve          401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/approvals/{approval_id}/reject           401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/approvals/{approval_id}/link             401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/approval-links/{token}                   200 200 | 200 200 200 200 200 | -
POST   /api/approval-links/{token}                   200 200 | 200 200 200 200 200 | -
GET    /approve/{token}                              200 200 | 200 200 200 200 200 | -
POST   /approve/{token}                              200 200 | 200 200 200 200 200 | -
GET    /api/prices                                   401 401 | 200 200 200 403 200 | -
GET    /api/system                                   401 401 | 403 403 200 403 403 | -
GET    /api/system/findings                          401 401 | 403 403 200 403 403 | -
GET    /api/workers                                  401 401 | 403 403 200 403 403 | -
POST   /api/worker/register                          401 401 | 403 403 403 403 403 | -
POST   /api/worker/heartbeat                         401 401 | 403 403 403 403 403 | -
POST   /api/worker/leave                             401 401 | 403 403 403 403 403 | -
POST   /api/worker/runs/{flow_run_id}/claim          401 401 | 403 403 403 403 403 | -
POST   /api/worker/runs/{run_id}/events              401 401 | 403 403 403 403 403 | -
POST   /api/worker/runs/{run_id}/return              401 401 | 403 403 403 403 403 | -
GET    /api/audit                                    401 401 | 200 200 200 403 200 | -
GET    /api/audit/export                             401 401 | 200 200 200 403 200 | -
"""  # noqa: E501  a table


async def _workspace(place: Place) -> str:
    return place.workspace


async def _asset(_place: Place) -> str:
    return "start.js"


async def _unknown(_place: Place) -> str:
    return "unknown"


# What stands for each parameter of a path.
PARAMETERS: dict[str, places.Maker] = {
    "name": _asset,
    "user_id": places.user,
    "user": places.member,
    "key_id": places.api_key,
    "workspace_id": _workspace,
    "prompt_id": places.prompt,
    "key": places.served_key,
    "workflow_id": places.workflow,
    "connection_id": places.connection,
    "agent_id": places.agent,
    "version": places.version,
    "conversation_id": places.conversation,
    "run_id": places.run,
    "request_id": places.change_request,
    "schedule_id": places.schedule,
    "approval_id": places.approval,
    "trigger_id": places.trigger,
    "delivery_id": places.delivery,
    "hook": _unknown,
    "token": places.approval_link,
    "flow_run_id": places.run,
}
# As PARAMETERS, for routes that need another one.
OWN_PARAMETERS: dict[tuple[str, str], places.Maker] = {
    ("DELETE", "/api/workspaces/{workspace_id}"): Place.new_workspace,
    ("POST", "/api/runs/{run_id}/cancel"): places.run_under_way,
    ("POST", "/api/runs/{run_id}/retry"): places.failed_run,
}
Body = Callable[[Place], Awaitable[dict[str, Any]]]


async def _of_prompt(place: Place) -> dict[str, Any]:
    return {"id": await places.prompt(place), "version": "v1"}


async def _in_place(place: Place) -> dict[str, Any]:
    return {"key": place.key(), "name": "n", "workspace": place.workspace}


async def _new_schedule(place: Place) -> dict[str, Any]:
    target = await place.make("/api/workflows", steps=places.STEPS)
    body = {"key": place.key(), "workflow": target["key"], "cron": "0 3 * * *"}
    return {**body, "workspace": place.workspace}


async def _new_connection(place: Place) -> dict[str, Any]:
    return {"name": place.key(), "kind": "mock", "workspace": place.workspace}


async def _new_trigger(place: Place) -> dict[str, Any]:
    return {"key": place.key(), "workspace": place.workspace, **places.TRIGGER}


async def _question(place: Place) -> dict[str, Any]:
    return {"content": "Hello", "workspace": place.workspace}


async def _new_user(_place: Place) -> dict[str, Any]:
    return {"username": f"user-{new_id()}", "password": PASSWORD}


async def _new_workspace(_place: Place) -> dict[str, Any]:
    return {"name": new_key()}


WORKER = {"id": "a" * 32, "name": "w", "pool": "gpu", "version": "1", "concurrency": 1}
BODIES: dict[tuple[str, str], Body | dict[str, Any]] = {
    ("POST", "/api/worker/register"): WORKER,
    ("POST", "/api/worker/heartbeat"): {**WORKER, "running": []},
    ("POST", "/api/worker/leave"): {"worker": "a" * 32},
    ("POST", "/api/worker/runs/{flow_run_id}/claim"): {"worker": "a" * 32},
    ("POST", "/api/worker/runs/{run_id}/events"): {
        "worker": "a" * 32,
        "attempt": 1,
        "first": 1,
        "events": ["{}"],
    },
    ("POST", "/api/worker/runs/{run_id}/return"): {"worker": "a" * 32, "attempt": 1},
    ("POST", "/api/sample"): {},
    ("POST", "/api/login"): {"token": TOKEN},
    ("POST", "/api/session"): {"token": TOKEN},
    ("PUT", "/api/me/password"): {"current_password": PASSWORD, "new_password": "brand new one"},
    ("POST", "/api/users"): _new_user,
    ("PUT", "/api/users/{user_id}"): {"role": "editor"},
    ("POST", "/api/keys"): _in_place,
    ("POST", "/api/workspaces"): _new_workspace,
    ("PUT", "/api/workspaces/{workspace_id}"): {"name": "Renamed"},
    ("PUT", "/api/workspaces/{workspace_id}/members/{user}"): {"role": "viewer"},
    ("PUT", "/api/workspaces/{workspace_id}/environments"): {
        "environments": [{"name": name} for name in ("dev", "test", "stage", "prod", "guarded")]
    },
    ("POST", "/api/prompts"): _in_place,
    ("POST", "/api/prompts/publish"): _of_prompt,
    ("POST", "/api/prompts/rollback"): _of_prompt,
    ("PUT", "/api/prompts/{prompt_id}"): {"content": "edited"},
    ("POST", "/api/prompts/{prompt_id}/promote"): {"env": "test"},
    ("PUT", "/api/prompts/{prompt_id}/rollout"): {"enabled": True},
    ("POST", "/api/playground/run"): _question,
    ("POST", "/api/approval-links/{token}"): {"decision": "approve"},
    ("POST", "/approve/{token}"): {"decision": "approve"},
    ("POST", "/api/workflows"): _in_place,
    ("PUT", "/api/workflows/{workflow_id}"): {"name": "edited"},
    ("POST", "/api/workflows/{workflow_id}/rollback"): {"version": 1},
    ("POST", "/api/workflows/{workflow_id}/promote"): {"env": "test"},
    ("POST", "/api/workflows/validate"): {"steps": []},
    ("POST", "/api/schedules"): _new_schedule,
    ("POST", "/api/schedules/preview"): {"cron": "0 3 * * *"},
    ("PUT", "/api/schedules/{schedule_id}"): {"cron": "0 4 * * *"},
    ("POST", "/api/providers"): _new_connection,
    ("PUT", "/api/providers/{connection_id}"): {"model": "edited"},
    ("POST", "/api/triggers"): _new_trigger,
    ("PUT", "/api/triggers/{trigger_id}"): {"enabled": False},
    ("POST", "/api/agents"): _in_place,
    ("PUT", "/api/agents/{agent_id}"): {"name": "edited"},
    ("POST", "/api/agents/{agent_id}/rollback"): {"version": 1},
    ("POST", "/api/agents/{agent_id}/promote"): {"env": "test"},
    ("POST", "/api/change-requests/{request_id}/comments"): {"comment": "Why?"},
    ("POST", "/api/change-requests/{request_id}/reject"): {"comment": "No."},
    ("POST", "/api/change-requests/{request_id}/schedule"): {"apply_at": "2099-03-16T07:00:00Z"},
    ("POST", "/api/change-requests/{request_id}/apply"): {"bypass": True, "reason": "Now."},
    ("POST", "/api/agents/{agent_id}/tools/try"): {
        "tool": {"name": "t", "parameters": {"type": "object"}, "url": "https://tools.example.org/"}
    },
}
# Routes that take the workspace as a parameter.
QUERIES = {
    ("GET", "/api/keys"),
    ("GET", "/api/prompts"),
    ("GET", "/api/prompt-keys"),
    ("GET", "/api/prompt-keys/facets"),
    ("GET", "/api/prompt-keys/programs"),
    ("GET", "/api/prompt-keys/calls"),
    ("GET", "/api/rollouts"),
    ("GET", "/api/change-requests"),
    ("GET", "/api/sample"),
    ("POST", "/api/sample"),
    ("DELETE", "/api/sample"),
    ("GET", "/api/workflows"),
    ("GET", "/api/schedules"),
    ("GET", "/api/schedules/times"),
    ("GET", "/api/providers"),
    ("GET", "/api/triggers"),
    ("GET", "/api/runs"),
    ("GET", "/api/runs/points"),
    ("GET", "/api/runs/stats"),
    ("GET", "/api/approvals"),
    ("POST", "/api/workflows/validate"),
    ("GET", "/api/agents"),
    ("GET", "/api/sdk/prompts/{key}"),
    ("HEAD", "/api/sdk/prompts/{key}"),
    ("GET", "/api/sdk/snapshot"),
    ("WS", "/ws"),
}
# Those who call these can't call anything afterwards.
ENDS_THE_SESSION = {"/api/logout", "/api/me/password", "/api/me/sessions"}
READING = {"GET", "HEAD", "WS"}


class Row(NamedTuple):
    """A route and the expected statuses, by kind of workspace and caller."""

    method: str
    path: str
    expected: dict[tuple[str, str], int]

    @property
    def name(self) -> tuple[str, str]:
        return (self.method, self.path)


def parsed(line: str) -> Row:
    anywhere, in_open, in_restricted = line.split("|")
    method, path, *statuses = anywhere.split()
    expected = {("open", who): int(s) for who, s in zip(EVERYWHERE, statuses, strict=True)}
    for kind, group in (("open", in_open), ("restricted", in_restricted)):
        if group.strip() != "-":
            in_place = zip(IN_PLACE, group.split(), strict=True)
            expected |= {(kind, who): int(status) for who, status in in_place}
    return Row(method, path, expected)


ROWS = [parsed(line) for line in TABLE.splitlines() if "|" in line]


def routes(app: Any) -> set[tuple[str, str]]:
    """All routes, those that stand outside of the routers included."""
    while hasattr(app, "app"):
        app = app.app
    declared = {("GET", f"{FETCH_PATH}{{key}}"), ("HEAD", f"{FETCH_PATH}{{key}}")}
    for route in [*app.routes, *(route for router in ROUTERS for route in router.routes)]:
        if isinstance(route, WebSocketRoute):
            declared.add(("WS", route.path))
        elif isinstance(route, APIRoute | Route):
            declared |= {(method, route.path) for method in route.methods or ()}
        else:
            # The routers, as they were included.
            assert getattr(route, "original_router", None) in ROUTERS, f"what is {route}?"
    return declared


@pytest_asyncio.fixture(scope="module")
async def running(
    database_kind: DatabaseKind, postgres: Postgres, engine: EngineProcess
) -> AsyncIterator[RunningPlatform]:
    data = new_data_folder()
    settings = await new_settings(database_kind, postgres, data, engine_wait_seconds=30)
    async with running_platform(settings) as platform:
        use_engine(platform, engine)
        yield platform


@pytest_asyncio.fixture(scope="module")
async def world(running: RunningPlatform) -> dict[str, Place]:
    places = {kind: Place(running, kind) for kind in ("open", "restricted")}
    for place in places.values():
        await place.fill()
    return places


def test_the_table_knows_every_route(platform: RunningPlatform) -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))
    assert routes(asgi(platform.platform)) == set(names)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.method} {row.path}" for row in ROWS])
async def test_a_route_answers_each_caller_as_the_table_says(
    world: dict[str, Place], row: Row
) -> None:
    got, changed = {}, []
    for kind, caller in row.expected:
        place = world[kind]
        url, body = await asked(place, row, row.expected[kind, caller])
        token = await token_of(place, row, caller)
        revision = place.platform.platform.changes.feed.applied
        got[kind, caller] = status = await call(place.platform, token, row.method, url, body)
        if status >= 400 and place.platform.platform.changes.feed.applied != revision:
            changed.append((kind, caller))
    assert got == row.expected
    assert not changed, "a refused call changes nothing"


async def asked(place: Place, row: Row, expected: int) -> tuple[str, dict[str, Any] | None]:
    """Address and body of a request that acts on something real: of its own where it may change
    it."""
    may_share = row.method in READING or expected >= 400
    values = {}
    for name in re.findall(r"{(\w+)}", row.path):
        maker = OWN_PARAMETERS.get(row.name, PARAMETERS[name])
        values[name] = await (place.shared(maker) if may_share else maker(place))
    url = row.path.format(**values)
    if row.name in QUERIES:
        url = f"{url}?workspace={place.workspace}"
    body = BODIES.get(row.name)
    return url, await body(place) if callable(body) else body


async def token_of(place: Place, row: Row, caller: str) -> str | None:
    if row.path in ENDS_THE_SESSION and caller not in (*EVERYWHERE, "sdk"):
        return (await new_account(place.platform, "viewer")).token
    return place.tokens[caller]


async def call(
    platform: RunningPlatform, token: str | None, method: str, url: str, body: Any
) -> int:
    if method == "WS":
        return await handshake(platform, token, url)
    async with platform.client(token) as client:
        answer = await client.request(method, url, json=body, timeout=60)
    if answer.status_code >= 400 and method != "HEAD":
        assert answer.json()["error"]
    return answer.status_code


async def handshake(platform: RunningPlatform, token: str | None, url: str) -> int:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    address = f"ws://127.0.0.1:{platform.port}{url}"
    try:
        async with connect(address, additional_headers=headers) as connection:
            return connection.response.status_code if connection.response else 0
    except InvalidStatus as refused:
        return refused.response.status_code


OF_NO_WORKSPACE = {
    "/api/sample",
    "/api/runs/stats",
    "/api/prices",
    "/api/me",
    "/api/users",
    "/api/session",
    "/api/system",
    "/api/system/findings",
    "/api/workers",
}
# Of one workspace, `default` where none is named; test_isolation asks for the closed one.
OF_ONE_WORKSPACE = {
    "/api/prompt-keys",
    "/api/prompt-keys/facets",
    "/api/prompt-keys/calls",
    "/api/prompt-keys/programs",
}
LISTS = [row for row in ROWS if row.method == "GET" and "{" not in row.path]


@pytest.mark.parametrize("row", LISTS, ids=[row.path for row in LISTS])
async def test_no_list_holds_anything_of_a_workspace_that_is_closed_to_the_caller(
    world: dict[str, Place], row: Row
) -> None:
    place = world["restricted"]
    for maker in (
        places.prompt,
        places.workflow,
        places.connection,
        places.trigger,
        places.agent,
        places.run,
        places.approval,
        places.api_key,
        places.served_key,
    ):
        await place.shared(maker)
    async with (
        place.platform.watch(
            token=place.tokens["viewer"] or "", workspace=place.workspace, app=CLASSIFIED
        ),
        place.platform.client(place.tokens["outsider"]) as client,
    ):
        answer = await client.get(row.path, params={"limit": "200"})
        assert not leaks(place, answer), f"{row.path} tells of a closed workspace"
        admin = await place.platform.http.get(row.path, params={"limit": "200"})
    if row.path not in OF_NO_WORKSPACE | OF_ONE_WORKSPACE:
        assert leaks(place, admin) == row.path.startswith("/api/"), "the test sees leaks"


def leaks(place: Place, answer: httpx.Response) -> bool:
    return CLASSIFIED in answer.text or place.workspace in answer.text


async def test_a_watch_is_told_of_a_closed_workspace_from_joining_it_on(
    world: dict[str, Place],
) -> None:
    place = world["restricted"]
    account = await new_account(place.platform, "editor")
    async with (
        place.platform.watch(token=account.token, workspace=place.workspace) as with_workspace,
        place.platform.watch(token=account.token) as unnamed,
    ):
        await places.served_key(place)
        await join(place.platform, place.workspace, {"id": account.id}, "viewer")
        key = await places.served_key(place)
        for watcher in (with_workspace, unnamed):
            assert (await next_event(watcher))["key"] == key
