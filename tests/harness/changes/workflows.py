"""Workflows and their versions."""

from harness.changes.rows import STEP_SECRET, Call, row
from harness.people import sent
from harness.platform import RunningPlatform, new_key

STEPS = [{"type": "model", "provider": "mock", "api_key": STEP_SECRET}]


@row("POST", "/api/workflows", "create")
async def _create_workflow(_platform: RunningPlatform) -> Call:
    return Call("/api/workflows", {"key": new_key(), "steps": STEPS})


@row("PUT", "/api/workflows/{workflow_id}", "update")
async def _update_workflow(platform: RunningPlatform) -> Call:
    steps = [{"type": "model", "provider": "mock", "api_key": f"{STEP_SECRET}-2"}]
    return Call(f"/api/workflows/{await workflow(platform)}", {"steps": steps})


@row("DELETE", "/api/workflows/{workflow_id}", "delete")
async def _delete_workflow(platform: RunningPlatform) -> Call:
    return Call(f"/api/workflows/{await workflow(platform)}")


@row("POST", "/api/workflows/{workflow_id}/run")
async def _run_workflow(platform: RunningPlatform) -> Call:
    """A run changes nothing for others; it has its own log. There is no engine here."""
    url = f"/api/workflows/{await workflow(platform)}/run"
    return Call(url, {"api_key": STEP_SECRET}, status=503)


@row("POST", "/api/workflows/{workflow_id}/versions", "version")
async def _make_workflow_version(platform: RunningPlatform) -> Call:
    return Call(f"/api/workflows/{await workflow(platform)}/versions", {})


@row("POST", "/api/workflows/{workflow_id}/publish", "publish")
async def _publish_workflow(platform: RunningPlatform) -> Call:
    return Call(f"/api/workflows/{await workflow(platform)}/publish", {})


@row("POST", "/api/workflows/{workflow_id}/rollback", "rollback")
async def _rollback_workflow(platform: RunningPlatform) -> Call:
    """Rolls back to a version that isn't served."""
    url = f"/api/workflows/{await workflow(platform)}"
    sent(await platform.http.post(f"{url}/versions"))
    return Call(f"{url}/rollback", {"version": 1})


@row("POST", "/api/workflows/{workflow_id}/promote", "promote")
async def _promote_workflow(platform: RunningPlatform) -> Call:
    return Call(f"/api/workflows/{await workflow(platform)}/promote", {"env": "test"})


async def workflow(platform: RunningPlatform) -> str:
    """The id of a new workflow."""
    body = {"key": new_key(), "steps": STEPS}
    made = sent(await platform.http.post("/api/workflows", json=body))
    return str(made["id"])
