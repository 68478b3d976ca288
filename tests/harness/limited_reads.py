"""Requests that test the limits of an API key: filters of lists, and routes with hidden objects."""

from harness.limited_keys import MARK, SECRET

# Filters that could reveal what the unfiltered list hides.
QUERIES: tuple[dict[str, str], ...] = (
    {},
    {"limit": "200"},
    {"q": MARK},
    {"env": SECRET},
    {"workspace": "default"},
    {"user": "admin"},
    {"source": "playground", "status": "ok"},
    {"source": "agent", "provider": "mock"},
)
# Routes that return objects of the other environment to callers without limits.
TELLING = {
    "/api/prompts",
    "/api/prompts/{prompt_id}/usage",
    "/api/prompt-keys",
    "/api/prompts/{prompt_id}",
    "/api/prompts/{prompt_id}/versions",
    "/api/rollouts",
    "/api/sdk/prompts/{key}",
    "/api/sdk/snapshot",
    "/api/clients",
    "/api/workflows",
    "/api/workflows/{workflow_id}",
    "/api/workflows/{workflow_id}/versions",
    "/api/workflows/{workflow_id}/versions/{version}",
    "/api/agents",
    "/api/agents/{agent_id}",
    "/api/agents/{agent_id}/versions",
    "/api/agents/{agent_id}/versions/{version}",
    "/api/agents/{agent_id}/conversations",
    "/api/agents/{agent_id}/conversations/{conversation_id}",
    "/api/schedules",
    "/api/schedules/times",
    "/api/schedules/{schedule_id}",
    "/api/change-requests",
    "/api/change-requests/{request_id}",
    "/api/runs",
    "/api/runs/points",
    "/api/runs/{run_id}",
    "/api/runs/{run_id}/events",
    "/api/approvals",
    "/api/approvals/{approval_id}",
    "/api/audit",
    "/api/audit/export",
}
