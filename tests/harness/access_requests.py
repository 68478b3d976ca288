"""The request for each route of `access_table`: path parameters, body and query."""

from collections.abc import Awaitable, Callable
from typing import Any

from harness import places
from harness.callers import PASSWORD
from harness.places import Place
from harness.platform import TOKEN, new_key
from promptops_platform.ids import new_id


async def _workspace(place: Place) -> str:
    return place.workspace


async def _asset(_place: Place) -> str:
    return "start.js"


async def _unknown(_place: Place) -> str:
    return "unknown"


# The value of each path parameter.
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
# Like PARAMETERS, for routes that need other values.
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
# Routes with the workspace as a query parameter.
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
