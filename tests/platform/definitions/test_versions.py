"""Versions of agents and workflows over the wire."""

import pytest

from harness.definitions import KINDS, new_definition, text_of
from harness.people import new_api_key, new_workspace, sent
from harness.platform import RunningPlatform

pytestmark = pytest.mark.parametrize("kind", KINDS)


async def test_a_publish_pins_the_draft_under_its_number(
    platform: RunningPlatform, kind: str
) -> None:
    definition = await new_definition(platform, kind)
    created = await definition.read()
    assert (created["published_version"], created["served"]) == (None, {})
    assert (created["draft_ahead"], created["revision"]) == (False, 1)
    await definition.edit("two")
    await definition.edit("three")
    version = await definition.publish(note="why")
    assert next(iter(version)) == "id"
    assert (version["version"], version["note"], version["author"]) == (3, "why", "admin")
    assert version["served_in"] == ["dev"]
    assert text_of(kind, version["definition"]) == "three"
    published = await definition.read()
    assert (published["published_version"], published["served"]) == (3, {"dev": 3})
    assert published["draft_ahead"] is False
    assert (await definition.edit("four"))["draft_ahead"] is True
    assert [row["version"] for row in await definition.versions()] == [3]
    one = sent(await platform.http.get(f"{definition.url}/versions/3"))
    assert one == version
    listed = sent(await platform.http.get(f"/api/{kind}s?q={definition.key}"))
    assert listed == [await definition.read()]


async def test_the_same_content_is_the_same_version(platform: RunningPlatform, kind: str) -> None:
    definition = await new_definition(platform, kind)
    first = await definition.publish(note="first")
    await definition.edit("two")
    await definition.edit("one", name="Another name")
    again = await definition.publish(note="again")
    assert (again["id"], again["version"], again["note"]) == (first["id"], 1, "first")
    assert (await definition.read())["version"] == 3
    assert len(await definition.history()) == 1


async def test_a_version_is_made_without_being_served(platform: RunningPlatform, kind: str) -> None:
    definition = await new_definition(platform, kind)
    await definition.publish()
    await definition.edit("two")
    made = sent(await definition.post("versions", note="for Monday"))
    assert (made["version"], made["note"], made["served_in"]) == (2, "for Monday", [])
    assert (await definition.read())["published_version"] == 1
    served = await definition.publish(version=2, note="now")
    assert (served["id"], served["served_in"]) == (made["id"], ["dev"])
    moves = [(move["version"], move["previous_version"]) for move in await definition.history()]
    assert moves == [(2, 1), (1, None)]
    assert (await definition.history())[0]["note"] == "now"


async def test_a_rollback_serves_a_version_and_makes_it_the_draft(
    platform: RunningPlatform, kind: str
) -> None:
    definition = await new_definition(platform, kind)
    await definition.publish()
    await definition.edit("two")
    await definition.publish()
    await definition.edit("three")
    answer = await definition.post("rollback", version=1)
    back = sent(answer)
    assert answer.headers["etag"] == f'"{back["revision"]}"'
    assert (text_of(kind, back), back["published_version"], back["version"]) == ("one", 1, 4)
    assert back["draft_ahead"] is False
    assert back == await definition.read()
    assert [move["action"] for move in await definition.history()] == [
        "rollback",
        "publish",
        "publish",
    ]
    assert (await definition.edit("four"))["version"] == 5
    assert (await definition.publish())["version"] == 5, "numbers are never used again"


async def test_tags_are_beside_the_versions_and_filter_the_list(
    platform: RunningPlatform, kind: str
) -> None:
    definition = await new_definition(platform, kind)
    assert (await definition.read())["tags"] == ""
    await definition.publish()
    mark = definition.key.replace("-", "").casefold()
    edited = await definition.edit("one", tags=f"{mark}, Two Words ,größe_%")
    assert edited["tags"] == f"{mark}, Two Words ,größe_%"
    assert (edited["version"], edited["revision"], edited["draft_ahead"]) == (1, 2, False)
    assert "tags" not in (await definition.versions())[0]["definition"]
    other = await new_definition(platform, kind)
    await other.edit("one", tags=f"{mark}2")
    for tag, is_listed in {
        mark.upper(): True,
        f"GRÖSSE_%,{mark}": True,
        f" {mark} , twowords": True,
        f"{mark},three": False,
        mark[:-1]: False,
        f"{mark},gr": False,
    }.items():
        params = {"tag": tag, "limit": "5"}
        listed = sent(await platform.http.get(f"/api/{kind}s", params=params))
        assert [row["id"] for row in listed] == [definition.id] * is_listed, tag
    refused = await platform.http.put(definition.url, json={"tags": ["a"]})
    assert (refused.status_code, refused.json()["error"][:5]) == (400, "tags:")
    assert (await definition.edit("one", tags=""))["tags"] == ""


async def test_each_environment_serves_its_own_version(
    platform: RunningPlatform, kind: str
) -> None:
    definition = await new_definition(platform, kind)
    await definition.publish()
    await definition.edit("two")
    plan = sent(await definition.post("promote", env="prod", publish=False))
    assert plan == {
        "env": "prod",
        "version": 1,
        "previous_version": None,
        "published": False,
        "diff": None,
    }
    assert (await definition.read())["served"] == {"dev": 1}
    assert sent(await definition.post("promote", env="prod", note="go"))["published"] is True
    await definition.publish()
    assert (await definition.read())["served"] == {"dev": 2, "prod": 1}
    move = (await definition.history())[1]
    assert (move["action"], move["env"], move["version"]) == ("promote", "prod", 1)
    planned = sent(await definition.post("promote", env="prod", publish=False))
    assert (planned["version"], planned["previous_version"]) == (2, 1)
    assert (planned["diff"]["from"], planned["diff"]["to"]) == ("1", "2")
    assert planned["diff"]["same"] is False
    assert sent(await definition.post("promote", env="test", version=1))["version"] == 1
    assert (await definition.publish(version=1, env="prod"))["served_in"] == ["test", "prod"]


async def test_a_diff_names_what_differs(platform: RunningPlatform, kind: str) -> None:
    definition = await new_definition(platform, kind, "one\nsame\n")
    await definition.publish()
    await definition.edit("two\nsame\n")
    diff = sent(await platform.http.get(f"{definition.url}/diff"))
    assert (diff["from"], diff["to"], diff["same"]) == ("1", "draft", False)
    if kind == "workflow":
        (item,) = diff["items"]
        assert (item["within"], item["name"]) == ("steps", "say")
        assert (item["before_index"], item["after_index"]) == (0, 0)
        (field,) = item["fields"]
        assert (field["name"], diff["fields"]) == ("template", [])
    else:
        (field,) = diff["fields"]
        assert (field["name"], diff["items"]) == ("prompt", [])
    assert "-one\n+two\n same\n" in field["text"]
    assert "one" in diff["text"]
    same = sent(await platform.http.get(f"{definition.url}/diff?from=1&to=1"))
    assert (same["same"], same["text"], same["fields"], same["items"]) == (True, "", [], [])


@pytest.mark.parametrize(
    ("action", "body", "status", "message"),
    [
        ("publish", {"version": 7}, 404, "version 7"),
        ("publish", {"env": "no where"}, 400, "env"),
        ("publish", {"version": 0}, 400, "version"),
        ("publish", {"version": 2**31}, 400, "version"),
        ("rollback", {"version": 7}, 404, "version 7"),
        ("rollback", {}, 400, "version"),
        ("rollback", {"version": 1, "env": "nowhere"}, 404, "'nowhere'"),
        ("promote", {}, 400, "env"),
        ("publish", {"env": "nowhere", "version": 7}, 404, "version 7"),
        ("promote", {"env": "dev"}, 400, "'dev'"),
        ("promote", {"env": "prod", "from": "test"}, 404, "not published in 'test'"),
        ("promote", {"env": "prod", "from": "nowhere"}, 404, "'nowhere'"),
        ("run", {"version": 7}, 404, "version 7"),
        ("run", {"version": 1, "env": "dev"}, 400, "leave one out"),
        ("run", {"env": "prod"}, 404, "not published in 'prod'"),
        ("run", {"env": "nowhere"}, 404, "'nowhere'"),
    ],
)
async def test_what_does_not_exist_is_named(
    platform: RunningPlatform,
    kind: str,
    action: str,
    body: dict[str, object],
    status: int,
    message: str,
) -> None:
    definition = await new_definition(platform, kind)
    await definition.publish()
    before = await definition.read()
    answer = await definition.post(action, **body)
    assert answer.status_code == status, answer.text
    assert message in answer.json()["error"]
    assert await definition.read() == before


@pytest.mark.parametrize("action", ["publish", "promote"])
async def test_a_new_environment_is_appended_as_prompts_do(
    platform: RunningPlatform, kind: str, action: str
) -> None:
    workspace = await new_workspace(platform)
    definition = await new_definition(platform, kind, workspace=workspace)
    await definition.publish()
    environments = f"/api/workspaces/{workspace}/environments"

    async def names() -> list[str]:
        return [row["name"] for row in sent(await platform.http.get(environments))]

    dry = sent(await definition.post("promote", env="staging", publish=False))
    assert (dry["published"], dry["previous_version"], dry["diff"]) == (False, None, None)
    assert await names() == ["dev", "test", "prod"]
    sent(await definition.post(action, env="staging"))
    assert await names() == ["dev", "test", "prod", "staging"]
    assert (await definition.read())["served"] == {"dev": 1, "staging": 1}
    limited = await new_api_key(platform, role="editor", environments=["dev"])
    async with platform.client(limited) as client:
        answer = await client.post(f"{definition.url}/{action}", json={"env": "elsewhere"})
    assert answer.status_code == 403
    assert await names() == ["dev", "test", "prod", "staging"]


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("from=7", 404, "version 7"),
        ("from=draft&to=x", 400, "'x'"),
        ("from=-1", 400, "'-1'"),
        ("from=" + "9" * 300, 400, "from"),
        ("", 404, "no published version"),
    ],
)
async def test_a_diff_of_what_is_no_version_is_refused(
    platform: RunningPlatform, kind: str, query: str, status: int, message: str
) -> None:
    definition = await new_definition(platform, kind)
    answer = await platform.http.get(f"{definition.url}/diff?{query}")
    assert answer.status_code == status, answer.text
    assert message in answer.json()["error"]


async def test_a_change_of_what_was_not_seen_is_refused(
    platform: RunningPlatform, kind: str
) -> None:
    definition = await new_definition(platform, kind)
    await definition.publish()
    theirs = await definition.edit("theirs")
    requests = [
        ("PUT", "", {"name": "mine", "if_revision": 1}, {}),
        ("PUT", "", {"name": "mine"}, {"if-match": '"1"'}),
        ("POST", "/publish", {"if_revision": 1}, {}),
        ("POST", "/versions", {}, {"if-match": '"1"'}),
        ("POST", "/rollback", {"version": 1, "if_revision": 1}, {}),
        ("POST", "/promote", {"env": "prod"}, {"if-match": '"1"'}),
        ("DELETE", "", None, {"if-match": '"1"'}),
    ]
    for method, action, body, headers in requests:
        answer = await platform.http.request(
            method, f"{definition.url}{action}", json=body, headers=headers
        )
        assert answer.status_code == 409, (method, action, answer.text)
        assert answer.json()["current"] == theirs
        assert "revision 1" in answer.json()["error"]
    assert await definition.read() == theirs
    assert (await definition.edit("mine", if_revision=theirs["revision"]))["version"] == 3


async def test_a_deleted_definition_takes_its_versions_along(
    platform: RunningPlatform, kind: str
) -> None:
    definition = await new_definition(platform, kind)
    await definition.publish()
    assert (await platform.http.delete(definition.url)).json() == {"ok": True}
    for path in ("versions", "versions/1", "history", "diff"):
        assert (await platform.http.get(f"{definition.url}/{path}")).status_code == 404
