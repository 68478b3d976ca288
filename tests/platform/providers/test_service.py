"""Storing, editing, finding and deleting connections."""

from typing import Any

import pytest

from harness.connections import SECRET, URL, new_connection, new_name
from harness.people import logged_in, new_api_key, new_user, new_workspace, sent
from harness.platform import RunningPlatform

OTHER = "sk-another-key-of-some-length"
ADDRESS = "http://localhost:11434"


async def shown(platform: RunningPlatform, connection: dict[str, Any]) -> dict[str, Any]:
    connection_shown: dict[str, Any] = sent(await platform.http.get(f"{URL}/{connection['id']}"))
    return connection_shown


async def change(platform: RunningPlatform, connection: dict[str, Any], **body: Any) -> Any:
    return await platform.http.put(f"{URL}/{connection['id']}", json=body)


async def test_a_connection_is_answered_without_its_key(platform: RunningPlatform) -> None:
    name = new_name()
    made = await new_connection(
        platform, name=name, kind="ollama", base_url=ADDRESS, model="llama3"
    )
    assert list(made)[:6] == ["id", "workspace_id", "name", "kind", "base_url", "model"]
    assert (made["workspace_id"], made["name"], made["kind"]) == ("default", name, "ollama")
    assert (made["base_url"], made["model"]) == (ADDRESS, "llama3")
    assert (made["has_key"], made["key_hint"]) == (True, "END4")
    assert (made["created_by"], made["last_tested_at"], made["last_test_ok"]) == (
        "admin",
        None,
        None,
    )
    assert await shown(platform, made) == made
    listed = sent(await platform.http.get(URL, params={"q": name}))
    assert listed == [made]


@pytest.mark.parametrize("api_key", [None, "", "  "])
async def test_a_key_may_be_left_out(platform: RunningPlatform, api_key: str | None) -> None:
    made = await new_connection(platform, api_key=api_key)
    assert (made["has_key"], made["key_hint"]) == (False, "")


async def test_a_short_key_has_no_hint(platform: RunningPlatform) -> None:
    made = await new_connection(platform, api_key="sk-short-key-of-19c")
    assert (made["has_key"], made["key_hint"]) == (True, "")


async def test_a_list_is_by_name_and_takes_workspace_and_text(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform)
    for name, model in (("zeta", "m-1"), ("alpha", "m-2")):
        await new_connection(platform, name=name, model=model, workspace=workspace)
    await new_connection(platform, name="openai", kind="openai", workspace_id=workspace)

    async def names(**query: str) -> list[str]:
        rows = sent(await platform.http.get(URL, params={"workspace": workspace, **query}))
        return [row["name"] for row in rows]

    assert await names() == ["alpha", "openai", "zeta"]
    assert await names(q="M-1") == ["zeta"]
    assert await names(q="openai") == ["openai"]
    assert await names(q="%") == []
    assert (await platform.http.get(URL, params={"workspace": "nowhere"})).status_code == 404


async def test_a_name_is_taken_once_in_a_workspace(platform: RunningPlatform) -> None:
    first, second = await new_connection(platform), await new_connection(platform)
    body = {"name": first["name"], "kind": "mock"}
    for answer in (
        await platform.http.post(URL, json=body),
        await change(platform, second, name=first["name"], api_key=OTHER),
    ):
        assert answer.status_code == 409
        assert answer.json()["error"].startswith(f"name: '{first['name']}' is taken")
    elsewhere = await new_workspace(platform)
    assert (await new_connection(platform, name=first["name"], workspace=elsewhere))["id"]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"kind": "mock"}, "name: is required"),
        ({"name": "x", "kind": "watson"}, "kind: "),
        ({"name": "a b", "kind": "mock"}, "name: contains ' '"),
        ({"name": "x" * 65, "kind": "mock"}, "name: "),
        ({"name": "openai", "kind": "claude"}, "name: 'openai' is the built-in provider openai"),
        ({"name": "mock", "kind": "ollama"}, "name: 'mock' is the built-in provider mock"),
        ({"name": "x", "kind": "openai-compatible"}, "base_url: is required"),
        ({"name": "x", "kind": "openai", "base_url": "ftp://localhost"}, "base_url: "),
        ({"name": "x", "kind": "openai", "base_url": "localhost:1"}, "base_url: "),
        ({"name": "x", "kind": "openai", "base_url": "https://evil.example"}, "base_url: host ev"),
        ({"name": "x", "kind": "openai", "base_url": "http://169.254.169.254"}, "base_url: host"),
        ({"name": "x", "kind": "openai", "base_url": "http://localhost/?a=S3CRET"}, "base_url: "),
        ({"name": "x", "kind": "openai", "base_url": "http://u:S3CRET@localhost"}, "base_url: "),
        ({"name": "x", "kind": "mock", "api_key": "S3CRET key"}, "api_key: is not an API key"),
        ({"name": "x", "kind": "mock", "api_key": "S3CRÉT"}, "api_key: is not an API key"),
        ({"name": "x", "kind": "mock", "api_key": ["S3CRET"]}, "api_key: "),
        ({"name": "x", "kind": "mock", "api_key": "S3CRET" * 1000}, "api_key: "),
        ({"name": "x", "kind": "mock", "model": "m" * 201}, "model: "),
    ],
)
async def test_bad_input_is_named_and_changes_nothing(
    platform: RunningPlatform, body: dict[str, Any], complaint: str
) -> None:
    before = sent(await platform.http.get(URL))
    answer = await platform.http.post(URL, json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"].startswith(complaint)
    assert "S3CR" not in answer.text
    assert sent(await platform.http.get(URL)) == before


async def test_an_edit_changes_what_it_names(platform: RunningPlatform) -> None:
    made = await new_connection(platform, kind="ollama", base_url=ADDRESS, model="a")
    name = new_name()
    changed = sent(await change(platform, made, model="b", name=name))
    assert changed.pop("updated_at") > made["updated_at"]
    del made["updated_at"]
    assert changed == {**made, "model": "b", "name": name}
    for empty in (None, ""):
        await change(platform, made, model="c")
        assert sent(await change(platform, made, model=empty))["model"] == ""


async def test_what_was_answered_can_be_sent_back(platform: RunningPlatform) -> None:
    made = await new_connection(platform, kind="ollama", base_url=ADDRESS)
    changed = sent(await change(platform, made, **made))
    assert {**changed, "updated_at": made["updated_at"]} == made


async def test_a_key_is_kept_replaced_and_removed(platform: RunningPlatform) -> None:
    made = await new_connection(platform)
    for kept in ({"model": "m"}, {"api_key": ""}, {"api_key": " "}):
        assert sent(await change(platform, made, **kept))["key_hint"] == "END4"
    assert sent(await change(platform, made, api_key=OTHER))["key_hint"] == OTHER[-4:]
    removed = sent(await change(platform, made, api_key=None))
    assert (removed["has_key"], removed["key_hint"]) == (False, "")


@pytest.mark.parametrize(
    ("field", "value"),
    [("base_url", "http://localhost:9"), ("base_url", None), ("base_url", ""), ("kind", "openai")],
)
async def test_a_stored_key_does_not_follow_to_another_address(
    platform: RunningPlatform, field: str, value: str | None
) -> None:
    made = await new_connection(platform, kind="ollama", base_url=ADDRESS)
    for unsaid in ({}, {"api_key": ""}):
        refused = await change(platform, made, **{field: value}, **unsaid)
        assert refused.status_code == 400
        assert refused.json()["error"].startswith(f"{field}: the stored API key is not sent to")
        assert await shown(platform, made) == made
    changed = sent(await change(platform, made, **{field: value}, api_key=OTHER))
    assert (changed[field], changed["key_hint"]) == (value or "", OTHER[-4:])


async def test_with_its_key_removed_it_may_move(platform: RunningPlatform) -> None:
    made = await new_connection(platform, kind="ollama", base_url=ADDRESS)
    moved = sent(await change(platform, made, base_url="http://localhost:9", api_key=None))
    assert (moved["base_url"], moved["has_key"]) == ("http://localhost:9", False)
    assert sent(await change(platform, made, base_url=ADDRESS))["base_url"] == ADDRESS


async def test_a_deleted_connection_is_gone(platform: RunningPlatform) -> None:
    made = await new_connection(platform)
    url = f"{URL}/{made['id']}"
    assert (await platform.http.delete(url)).text == '{"ok":true}'
    for method in ("GET", "PUT", "DELETE"):
        answer = await platform.http.request(method, url, json={})
        assert answer.status_code == 404
    assert (await platform.http.post(f"{url}/test")).status_code == 404


async def test_who_may_not_write_sees_no_hint(platform: RunningPlatform) -> None:
    editor = await new_user(platform, "editor")
    workspace = await new_workspace(platform, "restricted", admin=editor)
    made = await new_connection(platform)
    own = await new_connection(platform, workspace=workspace)
    async with logged_in(platform, editor) as client:
        assert sent(await client.get(f"{URL}/{made['id']}")) == {**made, "key_hint": ""}
        assert sent(await client.get(f"{URL}/{own['id']}")) == own
        hints = {row["id"]: row["key_hint"] for row in sent(await client.get(URL))}
    assert (hints[made["id"]], hints[own["id"]]) == ("", "END4")


async def test_a_key_that_is_limited_to_environments_changes_no_connection(
    platform: RunningPlatform,
) -> None:
    key = await new_api_key(platform, role="admin", environments=["dev"])
    async with platform.client(key) as client:
        assert (await client.get(URL)).status_code == 200
        answer = await client.post(URL, json={"name": new_name(), "kind": "mock"})
        assert answer.status_code == 403


async def test_it_holds_its_workspace_and_goes_with_it(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform)
    made = await new_connection(platform, workspace=workspace)
    refused = await platform.http.delete(f"/api/workspaces/{workspace}")
    assert refused.json()["holds"] == {"connection": 1}
    forced = await platform.http.delete(f"/api/workspaces/{workspace}?force=true")
    assert forced.status_code == 200
    assert (await platform.http.get(f"{URL}/{made['id']}")).status_code == 404


async def test_the_trail_says_that_a_key_was_replaced_and_not_which(
    platform: RunningPlatform,
) -> None:
    made = await new_connection(platform)
    await change(platform, made, api_key=OTHER)
    await change(platform, made, api_key=None)
    page = await platform.http.get("/api/audit", params={"resource_id": made["id"]})
    removed, replaced, created = page.json()["data"]
    assert created["after"]["has_key"] is True
    assert replaced["summary"].endswith("with another key")
    assert (removed["before"], removed["after"]) == ({"has_key": True}, {"has_key": False})
    for secret in (SECRET, OTHER, SECRET[-4:]):
        assert secret not in page.text
