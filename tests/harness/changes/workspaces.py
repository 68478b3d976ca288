"""Workspaces, their members and environments, and a workspace's sample."""

from harness.changes.rows import Call, row
from harness.people import new_user, new_workspace, sent
from harness.platform import RunningPlatform, new_key


@row("POST", "/api/workspaces", "create")
async def _create_workspace(_platform: RunningPlatform) -> Call:
    return Call("/api/workspaces", {"name": new_key()})


@row("PUT", "/api/workspaces/{workspace_id}", "update")
async def _update_workspace(platform: RunningPlatform) -> Call:
    return Call(f"/api/workspaces/{await new_workspace(platform)}", {"name": "Renamed"})


@row("DELETE", "/api/workspaces/{workspace_id}", "delete")
async def _delete_workspace(platform: RunningPlatform) -> Call:
    return Call(f"/api/workspaces/{await new_workspace(platform)}")


@row("PUT", "/api/workspaces/{workspace_id}/members/{user}", "update")
async def _put_member(platform: RunningPlatform) -> Call:
    user = await new_user(platform, "viewer")
    workspace = await new_workspace(platform, viewer=user)
    return Call(f"/api/workspaces/{workspace}/members/{user['id']}", {"role": "editor"})


@row("DELETE", "/api/workspaces/{workspace_id}/members/{user}", "delete")
async def _remove_member(platform: RunningPlatform) -> Call:
    user = await new_user(platform, "viewer")
    workspace = await new_workspace(platform, viewer=user)
    return Call(f"/api/workspaces/{workspace}/members/{user['id']}")


@row("PUT", "/api/workspaces/{workspace_id}/environments", "update")
async def _replace_environments(platform: RunningPlatform) -> Call:
    url = f"/api/workspaces/{await new_workspace(platform)}/environments"
    return Call(url, {"environments": [{"name": "prod", "protected": True}]})


# A prompt with three versions, one of them promoted; an agent, a workflow and a key.
@row("POST", "/api/sample", *["create"] * 4, *["update"] * 2, *["publish"] * 3, "promote")
async def _create_sample(platform: RunningPlatform) -> Call:
    return Call("/api/sample", {"workspace": await new_workspace(platform)})


@row("DELETE", "/api/sample", "delete", "delete", "delete", "delete", "revoke")
async def _delete_sample(platform: RunningPlatform) -> Call:
    workspace = await new_workspace(platform)
    sent(await platform.http.post("/api/sample", json={"workspace": workspace}))
    return Call(f"/api/sample?workspace={workspace}")
