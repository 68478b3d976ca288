"""The environments of a workspace: their order, and what protection keeps from whom."""

import asyncio
from typing import Any

import httpx

from harness.people import logged_in, new_api_key, new_user, new_workspace, sent
from harness.platform import RunningPlatform, new_key
from promptops_platform.workspaces.repository import append_environment


async def put(
    client: httpx.AsyncClient, workspace: str, *environments: dict[str, Any]
) -> httpx.Response:
    return await client.put(
        f"/api/workspaces/{workspace}/environments", json={"environments": environments}
    )


async def names(platform: RunningPlatform, workspace: str) -> list[str]:
    listed = sent(await platform.http.get(f"/api/workspaces/{workspace}/environments"))
    assert [environment["position"] for environment in listed] == list(range(len(listed)))
    return [environment["name"] for environment in listed]


def environment(name: str, position: int, **settings: Any) -> dict[str, Any]:
    settings = {"protected": False, "approvals": 0, "allow_bypass": False, **settings}
    return {"name": name, "position": position, **settings}


async def test_there_are_three_at_first_and_new_ones_are_appended(
    platform: RunningPlatform,
) -> None:
    workspace = await new_workspace(platform)
    listed = sent(await platform.http.get(f"/api/workspaces/{workspace}/environments"))
    assert listed == [
        environment("dev", 0),
        environment("test", 1),
        environment("prod", 2),
    ]
    makes = [platform.create(env="staging", workspace=workspace) for _ in range(4)]
    await asyncio.gather(*makes)
    assert await names(platform, workspace) == ["dev", "test", "prod", "staging"]


async def test_the_list_replaces_order_and_flags(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform)
    answer = await put(
        platform.http,
        workspace,
        {"name": "prod", "protected": True, "approvals": 2, "allow_bypass": True},
        {"name": "qa"},
        {"name": "dev"},
    )
    guarded = {"protected": True, "approvals": 2, "allow_bypass": True}
    assert sent(answer) == [
        environment("prod", 0, **guarded),
        environment("qa", 1),
        environment("dev", 2),
    ]
    again = await put(platform.http, workspace, {"name": "dev"}, {"name": "prod"})
    assert sent(again) == [
        environment("dev", 0),
        environment("prod", 1, **guarded),
    ], "a setting that is not given stays"
    for approvals in (-1, 11, 1.5):
        refused = await put(platform.http, workspace, {"name": "prod", "approvals": approvals})
        assert refused.status_code == 400, approvals
    assert await names(platform, workspace) == ["dev", "prod"]
    page = (await platform.http.get("/api/audit?limit=5")).json()["data"]
    assert page[0]["resource_id"] == workspace
    assert [environment["name"] for environment in page[0]["before"]["environments"]] == [
        "prod",
        "qa",
        "dev",
    ]
    assert [environment["name"] for environment in page[0]["after"]["environments"]] == [
        "dev",
        "prod",
    ]


async def test_one_that_holds_prompts_must_stay(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform)
    prompt = await platform.create(env="test", workspace=workspace)
    refused = await put(platform.http, workspace, {"name": "prod"})
    assert refused.status_code == 409
    assert "test" in refused.json()["error"]
    assert "dev" not in refused.json()["error"]
    assert await names(platform, workspace) == ["dev", "test", "prod"]
    await platform.http.delete(f"/api/prompts/{prompt['id']}")
    assert (await put(platform.http, workspace, {"name": "prod"})).status_code == 200


async def test_leaving_one_out_while_prompts_are_made_in_it_loses_neither(
    platform: RunningPlatform,
) -> None:
    workspace = await new_workspace(platform)
    makes = [
        platform.http.post("/api/prompts", json={"key": new_key(), "workspace": workspace})
        for _ in range(10)
    ]
    drops = [put(platform.http, workspace, {"name": "prod"}) for _ in range(10)]
    both = [request for pair in zip(makes, drops, strict=True) for request in pair]
    answers = await asyncio.gather(*both)
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert "dev" in await names(platform, workspace)


async def test_bad_lists_are_refused(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform)
    for environments in (
        [],
        [{"name": "a"}, {"name": "a"}],
        [{"name": ""}],
        [{"name": "a b"}],
        [{"protected": True}],
        [{"name": str(number)} for number in range(51)],
    ):
        assert (await put(platform.http, workspace, *environments)).status_code == 400, environments
    url = f"/api/workspaces/{workspace}/environments"
    assert (await platform.http.put(url, json={})).status_code == 400
    assert (await put(platform.http, "nowhere", {"name": "a"})).status_code == 404


async def add_old_ones(platform: RunningPlatform, workspace: str, number: int) -> list[str]:
    """Make environments as an older release did, which knew no limit; their names."""
    old = [f"old-{position}" for position in range(number)]
    async with platform.platform.database.write() as transaction:
        for name in old:
            await append_environment(transaction.session, workspace, name)
    return old


async def test_what_exists_can_be_protected_however_many_there_are(
    platform: RunningPlatform,
) -> None:
    workspace = await new_workspace(platform)
    old = await add_old_ones(platform, workspace, 60)
    environments = [{"name": name, "protected": True} for name in ("dev", "test", "prod", *old)]
    listed = sent(await put(platform.http, workspace, *environments))
    assert [environment["protected"] for environment in listed] == [True] * 63
    refused = await put(platform.http, workspace, *environments, {"name": "new"})
    assert refused.status_code == 400
    assert "'new'" in refused.json()["error"]
    assert "50" in refused.json()["error"]
    assert sent(await platform.http.get(f"/api/workspaces/{workspace}/environments")) == listed


async def test_prompts_add_environments_up_to_the_limit_only(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform)
    prompt = await platform.create(env="dev", workspace=workspace)
    await add_old_ones(platform, workspace, 40)
    body = {"key": new_key(), "workspace": workspace}
    async with logged_in(platform, await new_user(platform, "editor")) as editor:
        answers = await asyncio.gather(
            *(editor.post("/api/prompts", json={**body, "env": f"e{n}"}) for n in range(20))
        )
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [400] * 13
        url = f"/api/prompts/{prompt['id']}"
        for refused in (
            *(answer for answer in answers if answer.status_code == 400),
            await editor.put(url, json={"env": "more"}),
            await editor.post(f"{url}/promote", json={"env": "more"}),
            await platform.http.post("/api/prompts", json={**body, "env": "more"}),
        ):
            assert refused.status_code == 400
            assert "50" in refused.json()["error"]
        assert (await editor.put(url, json={"env": "old-1"})).status_code == 200
    assert len(await names(platform, workspace)) == 50


async def test_the_list_is_for_admins_to_change(platform: RunningPlatform) -> None:
    viewer, editor = await new_user(platform, "viewer"), await new_user(platform, "editor")
    workspace = await new_workspace(platform, admin=viewer)
    async with logged_in(platform, viewer) as admin, logged_in(platform, editor) as other:
        assert (await put(other, workspace, {"name": "x"})).status_code == 403
        assert (await put(admin, workspace, {"name": "x"})).status_code == 200
        assert await names(platform, workspace) == ["x"]


async def test_a_protected_environment_is_served_by_admins_only(
    platform: RunningPlatform,
) -> None:
    editor = await new_user(platform, "editor")
    workspace = await new_workspace(platform)
    draft = await platform.create(env="prod", workspace=workspace)
    served = await platform.create(env="prod", workspace=workspace)
    free = await platform.create(env="dev", workspace=workspace)
    await platform.publish(served["id"])
    await put(platform.http, workspace, {"name": "dev"}, {"name": "prod", "protected": True})
    async with logged_in(platform, editor) as client:
        body = {"key": new_key(), "workspace": workspace, "env": "prod"}
        back = {"id": served["id"], "version": "v1"}
        for refused in (
            await client.post("/api/prompts", json=body),
            await client.post("/api/prompts/publish", json={"id": served["id"]}),
            await client.post("/api/prompts/rollback", json=back),
            await client.put(f"/api/prompts/{draft['id']}", json={"content": "served at once"}),
            await client.put(f"/api/prompts/{free['id']}", json={"env": "prod"}),
            await client.put(f"/api/prompts/{served['id']}", json={"env": "dev"}),
            await client.delete(f"/api/prompts/{served['id']}"),
        ):
            assert refused.status_code == 403
            assert refused.json()["error"] == "forbidden: requires admin role"
        drafted = await client.put(f"/api/prompts/{served['id']}", json={"content": "a draft"})
        assert drafted.status_code == 200
        assert (await client.post("/api/prompts/publish", json={"id": free["id"]})).is_success
    await platform.publish(served["id"])


async def test_a_limited_key_sees_and_changes_its_environments_only(
    platform: RunningPlatform,
) -> None:
    workspace = await new_workspace(platform)
    prod = await platform.create(env="prod", workspace=workspace)
    key = await new_api_key(platform, role="admin", workspace=workspace, environments=["dev"])
    async with platform.client(key) as client:
        url = f"/api/workspaces/{workspace}/environments"
        assert [environment["name"] for environment in sent(await client.get(url))] == ["dev"]
        assert (await put(client, workspace, {"name": "dev"})).status_code == 403
        own = sent(await client.post("/api/prompts", json={"key": new_key(), "env": "dev"}))
        assert own["workspace_id"] == workspace
        for refused in (
            await client.post("/api/prompts", json={"key": new_key(), "env": "prod"}),
            await client.put(f"/api/prompts/{own['id']}", json={"env": "prod"}),
            await client.get(f"/api/prompts/{prod['id']}"),
            await client.post("/api/prompts/publish", json={"id": prod["id"]}),
            await client.get(f"/api/sdk/prompts/{prod['key']}"),
        ):
            assert refused.status_code == 403
            assert "dev" in refused.json()["error"]
        listed = sent(await client.get("/api/prompts"))
        assert [key["id"] for key in listed] == [own["id"]]
