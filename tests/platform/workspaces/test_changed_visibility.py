"""Who may see a workspace changes: running watches and other replicas follow."""

from pathlib import Path

from harness.people import join, new_session, new_user, new_workspace
from harness.platform import RunningPlatform, new_settings, next_event, running_platform, until
from harness.postgres import Postgres


async def test_a_member_who_is_put_out_hears_nothing_more(platform: RunningPlatform) -> None:
    user = await new_user(platform, "viewer")
    workspace = await new_workspace(platform, "restricted", viewer=user)
    token = await new_session(platform, user)
    async with (
        platform.watch(token=token, workspace=workspace) as in_workspace,
        platform.watch(token=token) as anywhere,
    ):
        seen = await platform.create(workspace=workspace)
        for watch in (in_workspace, anywhere):
            assert (await next_event(watch))["id"] == seen["id"]
        url = f"/api/workspaces/{workspace}/members/{user['id']}"
        assert (await platform.http.delete(url)).status_code == 200
        await platform.create(workspace=workspace)
        elsewhere = await platform.create()
        assert (await next_event(anywhere))["id"] == elsewhere["id"]
        await join(platform, workspace, user, "viewer")
        back = await platform.create(workspace=workspace)
        assert (await next_event(in_workspace))["id"] == back["id"], (
            "and nothing of the time between"
        )


async def test_visibility_takes_effect_on_every_replica(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as one, running_platform(settings) as two:
        two.platform.changes.feed._poll = 3600
        viewer = await new_user(one, "viewer")
        workspace = await new_workspace(one)
        prompt = await one.create(env="prod", workspace=workspace)
        url = f"/api/workspaces/{workspace}"
        fetch = f"/api/sdk/prompts/{prompt['key']}"

        async def seen() -> list[int]:
            """On the other replica, by the session that was opened on the first."""
            feed = two.platform.changes.feed
            await until(lambda: feed.applied >= one.platform.changes.feed.applied)
            return [(await client.get(path)).status_code for path in (url, fetch)]

        async with two.client(await new_session(one, viewer)) as client:
            assert await seen() == [200, 200]
            await one.http.put(url, json={"visibility": "restricted"})
            assert await seen() == [404, 404]
            await join(one, workspace, viewer, "viewer")
            assert await seen() == [200, 200]
            await one.http.delete(f"{url}/members/{viewer['id']}")
            assert await seen() == [404, 404]
            await one.http.put(url, json={"visibility": "open"})
            assert await seen() == [200, 200]
            await one.http.delete(f"{url}?force=true")
            assert await seen() == [404, 404]
