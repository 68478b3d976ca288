"""Workspaces and their members over the wire."""

import asyncio

from harness.people import logged_in, new_api_key, new_user, new_workspace, sent
from harness.platform import RunningPlatform, new_key


async def test_a_workspace_is_found_by_id_and_slug(platform: RunningPlatform) -> None:
    name = f"My {new_key()}"
    made = sent(await platform.http.post("/api/workspaces", json={"name": name}))
    fields = ["id", "name", "slug", "created_at", "visibility", "role", "implicit_lookup"]
    assert list(made) == fields
    assert (made["visibility"], made["role"]) == ("open", "admin")
    for id_or_slug in (made["id"], made["slug"]):
        assert sent(await platform.http.get(f"/api/workspaces/{id_or_slug}")) == made
    missing = await platform.http.get("/api/workspaces/nowhere")
    assert missing.status_code == 404
    assert "nowhere" in missing.json()["error"]


async def test_name_slug_and_visibility_can_be_changed(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform)
    slug = new_key()
    body = {"name": " Renamed ", "slug": slug, "visibility": "restricted"}
    changed = sent(await platform.http.put(f"/api/workspaces/{workspace}", json=body))
    assert (changed["name"], changed["slug"]) == ("Renamed", slug)
    assert changed["visibility"] == "restricted"
    same = await platform.http.put(
        f"/api/workspaces/{slug}", json={"name": None, "slug": "", "visibility": None}
    )
    assert sent(same) == changed
    page = (await platform.http.get("/api/audit?limit=50")).json()["data"]
    own = [entry for entry in page if entry["resource_id"] == workspace]
    assert [entry["action"] for entry in own] == ["update", "create"]
    assert own[0]["after"] == {"name": "Renamed", "slug": slug, "visibility": "restricted"}
    assert own[0]["before"]["visibility"] == "open"


async def test_a_taken_slug_and_an_empty_name_are_refused(platform: RunningPlatform) -> None:
    first, second = await new_workspace(platform), await new_workspace(platform)
    slug = sent(await platform.http.get(f"/api/workspaces/{first}"))["slug"]
    url = f"/api/workspaces/{second}"
    assert (await platform.http.put(url, json={"slug": slug})).status_code == 409
    for body in ({"name": "  "}, {"slug": "a/b"}, {"visibility": "secret"}, {"slug": "a:b"}):
        assert (await platform.http.put(url, json=body)).status_code == 400, body


async def test_the_default_workspace_stays_open_and_keeps_its_slug(
    platform: RunningPlatform,
) -> None:
    for body in ({"visibility": "restricted"}, {"slug": "other"}):
        refused = await platform.http.put("/api/workspaces/default", json=body)
        assert refused.status_code == 400
        assert "default" in refused.json()["error"]
    renamed = await platform.http.put(
        "/api/workspaces/default",
        json={"name": "Everyone", "slug": "default", "visibility": "open"},
    )
    assert (sent(renamed))["name"] == "Everyone"
    assert (await platform.http.delete("/api/workspaces/default?force=true")).status_code == 400


async def test_only_admins_there_change_a_workspace(platform: RunningPlatform) -> None:
    viewer, editor = await new_user(platform, "viewer"), await new_user(platform, "editor")
    workspace = await new_workspace(platform, admin=viewer)
    url = f"/api/workspaces/{workspace}"
    async with logged_in(platform, viewer) as there, logged_in(platform, editor) as elsewhere:
        refused = await elsewhere.put(url, json={"name": "x"})
        assert refused.json()["error"] == "forbidden: requires admin role"
        assert refused.status_code == 403
        changed = sent(await there.put(url, json={"name": "By a member"}))
        assert (changed["name"], changed["role"]) == ("By a member", "admin")
        assert (await there.put("/api/workspaces/default", json={"name": "x"})).status_code == 403
        assert (await there.delete(url)).status_code == 403, "that takes a global admin"


async def test_the_maker_of_a_restricted_workspace_is_its_admin(
    platform: RunningPlatform,
) -> None:
    editor = await new_user(platform, "editor")
    async with logged_in(platform, editor) as client:
        body = {"name": new_key(), "visibility": "restricted"}
        made = sent(await client.post("/api/workspaces", json=body))
        assert made["role"] == "admin"
        url = f"/api/workspaces/{made['id']}"
        assert sent(await client.get(url))["role"] == "admin"
        members = sent(await client.get(f"{url}/members"))
        assert [(member["id"], member["role"]) for member in members] == [(editor["id"], "admin")]
        # Nobody is kept from leaving: global admins still manage it.
        assert (await client.delete(f"{url}/members/{editor['id']}")).status_code == 200
        assert (await client.get(url)).status_code == 404
    assert (await platform.http.get(url)).status_code == 200


async def test_a_key_makes_no_workspace_that_it_could_not_see(platform: RunningPlatform) -> None:
    key = await new_api_key(platform, role="editor")
    async with platform.client(key) as client:
        body = {"name": new_key(), "visibility": "restricted"}
        assert (await client.post("/api/workspaces", json=body)).status_code == 400
        assert (await client.post("/api/workspaces", json={"name": new_key()})).status_code == 200


async def test_members_come_change_and_go(platform: RunningPlatform) -> None:
    ann, bob = await new_user(platform, "viewer"), await new_user(platform, "viewer")
    workspace = await new_workspace(platform, "restricted")
    url = f"/api/workspaces/{workspace}/members"
    came = sent(await platform.http.put(f"{url}/{ann['username']}", json={"role": "viewer"}))
    assert list(came) == ["id", "username", "role", "created_at"]
    assert (came["id"], came["username"], came["role"]) == (ann["id"], ann["username"], "viewer")
    sent(await platform.http.put(f"{url}/{bob['id']}", json={"role": "admin"}))
    changed = sent(await platform.http.put(f"{url}/{ann['id']}", json={"role": "editor"}))
    assert changed == came | {"role": "editor"}
    async with logged_in(platform, ann) as client:
        listed = sent(await client.get(url))
        assert {member["username"]: member["role"] for member in listed} == {
            ann["username"]: "editor",
            bob["username"]: "admin",
        }
        refused = await client.put(f"{url}/{ann['id']}", json={"role": "admin"})
        assert refused.status_code == 403
        assert (await platform.http.delete(f"{url}/{ann['username']}")).text == '{"ok":true}'
        assert (await client.get(url)).status_code == 404
    assert (await platform.http.delete(f"{url}/{ann['id']}")).status_code == 404
    await platform.http.delete(f"/api/users/{bob['id']}")
    assert sent(await platform.http.get(url)) == []
    page = (await platform.http.get("/api/audit?limit=50")).json()["data"]
    own = [entry for entry in page if entry["resource_id"] == ann["id"] and entry["workspace_id"]]
    assert [(entry["action"], entry["resource"]) for entry in own] == [
        ("delete", "member"),
        ("update", "member"),
        ("create", "member"),
    ]
    assert (own[1]["before"], own[1]["after"]) == ({"role": "viewer"}, {"role": "editor"})


async def test_what_is_no_member_is_refused(platform: RunningPlatform) -> None:
    user = await new_user(platform, "viewer")
    url = f"/api/workspaces/{await new_workspace(platform)}/members"
    assert (await platform.http.put(f"{url}/nobody", json={"role": "viewer"})).status_code == 404
    for role in ("sdk", "owner", "", None):
        answer = await platform.http.put(f"{url}/{user['id']}", json={"role": role})
        assert answer.status_code == 400, role
    elsewhere = "/api/workspaces/nowhere/members"
    assert (await platform.http.get(elsewhere)).status_code == 404
    assert (
        await platform.http.put(f"{elsewhere}/{user['id']}", json={"role": "viewer"})
    ).status_code == 404


async def test_the_same_member_at_once_is_one(platform: RunningPlatform) -> None:
    user = await new_user(platform, "viewer")
    url = f"/api/workspaces/{await new_workspace(platform)}/members"
    puts = [platform.http.put(f"{url}/{user['id']}", json={"role": "editor"}) for _ in range(6)]
    assert {answer.status_code for answer in await asyncio.gather(*puts)} == {200}
    assert len(sent(await platform.http.get(url))) == 1
