"""Pages, filters and orders of the lists that the wire contract returns whole."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from harness.callers import as_caller, new_account
from harness.people import PASSWORD, join, new_api_key, new_user, new_workspace, sent
from harness.places import TRIGGER
from harness.platform import RunningPlatform, new_key

# By list: the body that makes one of it, of a name; and whether it is listed newest first.
Body = Callable[[str], dict[str, Any]]
LISTS: dict[str, tuple[Body, bool]] = {
    "/api/agents": (lambda name: {"key": name}, True),
    "/api/workflows": (lambda name: {"key": name}, True),
    "/api/providers": (lambda name: {"name": name, "kind": "mock"}, False),
    "/api/triggers": (lambda name: {"key": name, **TRIGGER}, False),
    "/api/keys": (lambda name: {"name": name}, True),
    "/api/users": (lambda name: {"username": name, "password": PASSWORD}, False),
    "/api/workspaces": (lambda name: {"name": name}, False),
}
SORTS = {
    "/api/agents": ("key", "name", "updated_at"),
    "/api/workflows": ("key", "name", "updated_at"),
    "/api/providers": ("name", "kind", "updated_at"),
    "/api/triggers": ("key", "created_at"),
    "/api/keys": ("name", "created_at", "expires_at", "last_used_at"),
    "/api/users": ("username", "role", "created_at"),
    "/api/workspaces": ("name", "slug", "created_at"),
}


async def page(client: httpx.AsyncClient, path: str, **query: Any) -> tuple[list[str], int]:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return [item["id"] for item in body["data"]], body["total"]


async def five(platform: RunningPlatform, path: str) -> tuple[str, list[str]]:
    """A text that only the names of the five have, and their ids in the list's own order."""
    body, newest_first = LISTS[path]
    mark = new_key()
    ids = []
    for number in range(5):
        answer = await platform.http.post(path, json=body(f"{mark}-{number}"))
        ids.append(sent(answer)["id"])
    return mark, ids[::-1] if newest_first else ids


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_comes_in_pages_or_all_at_once(platform: RunningPlatform, path: str) -> None:
    mark, ids = await five(platform, path)
    http = platform.http
    assert await page(http, path, q=mark) == (ids, 5)
    assert await page(http, path, q=mark, limit="") == (ids, 5)
    assert await page(http, path, q=mark.upper(), limit=2) == (ids[:2], 5)
    assert await page(http, path, q=mark, limit=2, offset=4) == (ids[4:], 5)
    assert await page(http, path, q=mark, offset=3) == (ids[3:], 5)
    assert await page(http, path, q=mark, limit=1, offset=9) == ([], 5)
    assert await page(http, path, q=f"{mark}-3", limit=5) == ([await by_name(http, path, mark)], 1)
    whole, total = await page(http, path)
    assert set(ids) <= set(whole)
    assert len(whole) == total


async def by_name(client: httpx.AsyncClient, path: str, mark: str) -> str:
    """The id of the fourth that `five` made."""
    listed = (await client.get(path, params={"q": mark})).json()["data"]
    names = ("key", "name", "username")
    return next(item["id"] for item in listed if f"{mark}-3" in map(item.get, names))


@pytest.mark.parametrize(("path", "field"), [(p, field) for p in SORTS for field in SORTS[p]])
async def test_a_list_is_sorted_both_ways(platform: RunningPlatform, path: str, field: str) -> None:
    mark, ids = await five(platform, path)
    up, total = await page(platform.http, path, q=mark, sort=field)
    down, _ = await page(platform.http, path, q=mark, sort=f"-{field}")
    assert total == 5
    assert (up, set(up)) == (down[::-1], set(ids))
    if field in ("key", "username", "slug", "created_at", "updated_at"):
        assert up in (ids, ids[::-1])
    one = {"q": mark, "sort": field, "limit": 1}
    paged = [(await page(platform.http, path, **one, offset=at))[0] for at in range(5)]
    assert paged == [[item] for item in up]


@pytest.mark.parametrize("path", [*LISTS, "/api/workspaces/default/members"])
@pytest.mark.parametrize("query", ["limit=0", "limit=x", "offset=-1", "sort=nothing"])
async def test_a_bad_page_is_a_400(platform: RunningPlatform, path: str, query: str) -> None:
    answer = await platform.http.get(f"{path}?{query}")
    assert answer.status_code == 400, answer.text
    assert query.partition("=")[0] in answer.json()["error"]


async def test_keys_without_a_date_come_last_both_ways(platform: RunningPlatform) -> None:
    mark, ids = await five(platform, "/api/keys")
    body = {"name": f"{mark}-dated", "expires_at": "2099-01-01T00:00:00Z"}
    dated = sent(await platform.http.post("/api/keys", json=body))["id"]
    for sort in ("expires_at", "-expires_at"):
        listed, _ = await page(platform.http, "/api/keys", q=mark, sort=sort)
        assert listed[0] == dated
        assert set(listed[1:]) == set(ids)


async def test_users_are_filtered_by_role(platform: RunningPlatform) -> None:
    editor, viewer = await new_user(platform, "editor"), await new_user(platform, "viewer")
    editors, total = await page(platform.http, "/api/users", role="editor")
    assert editor["id"] in editors
    assert viewer["id"] not in editors
    assert len(editors) == total
    answer = await platform.http.get("/api/users?role=owner")
    assert answer.status_code == 400
    assert "role" in answer.json()["error"]


async def test_members_come_in_pages(platform: RunningPlatform) -> None:
    users = [await new_user(platform, role) for role in ("admin", "editor", "viewer")]
    workspace = await new_workspace(platform, "restricted")
    for user, role in zip(users, ("viewer", "editor", "admin"), strict=True):
        await join(platform, workspace, user, role)
    path, ids = f"/api/workspaces/{workspace}/members", [user["id"] for user in users]
    whole, total = await page(platform.http, path)
    assert (set(ids) <= set(whole), total) == (True, len(whole))
    assert await page(platform.http, path, q=users[1]["username"]) == ([ids[1]], 1)
    paged, _ = await page(platform.http, path, limit=1, offset=1)
    assert paged == whole[1:2]
    by_time, _ = await page(platform.http, path, sort="-created_at", limit=3)
    assert by_time == ids[::-1]


async def test_totals_leave_out_what_is_closed_to_the_caller(platform: RunningPlatform) -> None:
    mark = new_key()
    made = {}
    for visibility in ("open", "restricted"):
        body = {"name": f"{mark}-{visibility}", "visibility": visibility}
        made[visibility] = sent(await platform.http.post("/api/workspaces", json=body))["id"]
        for path in ("/api/agents", "/api/workflows", "/api/providers", "/api/keys"):
            content = LISTS[path][0](f"{mark}-{visibility}")
            sent(await platform.http.post(path, json={**content, "workspace": made[visibility]}))
    viewer = await new_account(platform, "viewer")
    async with as_caller(platform, viewer.token) as client:
        for path in ("/api/agents", "/api/workflows", "/api/providers", "/api/workspaces"):
            listed, total = await page(client, path, q=mark, limit=10)
            assert (len(listed), total) == (1, 1), path
    key = await new_api_key(platform, role="admin", workspace=made["open"])
    async with as_caller(platform, key) as client:
        assert (await page(client, "/api/keys", q=mark, limit=10))[1] == 1


@pytest.mark.parametrize("path", ["/api/agents", "/api/workflows"])
async def test_a_limited_key_pages_through_what_it_may_see(
    platform: RunningPlatform, path: str
) -> None:
    mark = new_key()
    seen = []
    for number, env in enumerate(["dev", "prod"] * 3):
        prompt = await platform.create(env=env, content="Hello")
        reference = {"key": prompt["key"], "env": env}
        steps = [{"name": "s", "type": "render", "prompt_ref": reference}]
        content = {"prompt_ref": reference} if path == "/api/agents" else {"steps": steps}
        body = {"key": f"{mark}-{number}", **content}
        made = sent(await platform.http.post(path, json=body))["id"]
        seen += [made] if env == "dev" else []
    key = await new_api_key(platform, environments=["dev"])
    async with as_caller(platform, key) as client:
        assert await page(client, path, q=mark, sort="key") == (seen, 3)
        assert await page(client, path, q=mark, sort="key", limit=1, offset=1) == (seen[1:2], 3)
