"""Prompts over the wire, as the contract has them."""

import asyncio

from harness.platform import RunningPlatform, new_key


async def test_a_new_prompt_gets_the_contracts_defaults(platform: RunningPlatform) -> None:
    key = new_key()
    prompt = await platform.create(key)
    assert next(iter(prompt)) == "id"
    assert {name: prompt[name] for name in ("key", "env", "version", "workspace_id")} == {
        "key": key,
        "env": "dev",
        "version": "v1",
        "workspace_id": "default",
    }
    assert prompt["content"] == prompt["name"] == prompt["category"] == prompt["tags"] == ""
    assert prompt["created_at"] == prompt["updated_at"]
    assert prompt["created_at"].endswith("Z")


async def test_json_is_compact_with_the_id_first(platform: RunningPlatform) -> None:
    prompt = await platform.create(name="Ä")
    text = (await platform.http.get(f"/api/prompts/{prompt['id']}")).text
    assert text.startswith('{"data":{"id":"')
    assert '"name":"Ä"' in text


async def test_empty_env_and_version_mean_not_given(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="", version="", workspace_id="")
    assert (prompt["env"], prompt["version"]) == ("dev", "v1")


async def test_a_taken_key_is_a_conflict_in_its_environment_only(
    platform: RunningPlatform,
) -> None:
    key = new_key()
    await platform.create(key, env="prod")
    again = await platform.http.post("/api/prompts", json={"key": key, "env": "prod"})
    assert again.status_code == 409
    assert key in again.json()["error"]
    await platform.create(key, env="dev")


async def test_two_clients_at_once_make_one_prompt(platform: RunningPlatform) -> None:
    key = new_key()
    posts = [platform.http.post("/api/prompts", json={"key": key}) for _ in range(8)]
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*posts))
    assert statuses == [200] + [409] * 7


async def test_list_is_newest_change_first_and_filters(platform: RunningPlatform) -> None:
    mark = new_key()
    first = await platform.create(f"{mark}-a", tags="red, blue", category=mark, env="dev")
    second = await platform.create(f"{mark}-b", tags="redder", category=mark, env="prod")
    third = await platform.create(content=f"about {mark.upper()}_ 100%", env="test")
    await platform.http.put(f"/api/prompts/{first['id']}", json={"name": "changed"})

    async def ids_found(**query: str) -> list[str]:
        answer = await platform.http.get("/api/prompts", params=query)
        return [prompt["id"] for prompt in answer.json()["data"]]

    assert await ids_found(q=mark) == [first["id"], third["id"], second["id"]]
    assert await ids_found(q=mark, env="prod") == [second["id"]]
    assert await ids_found(category=mark, tag="red") == [first["id"]]
    assert await ids_found(category=mark, tag="blue") == [first["id"]]
    assert await ids_found(category=mark, tag="re_") == []
    assert await ids_found(q=f"{mark}_ 100%") == [third["id"]]
    assert await ids_found(q=f"{mark}_%") == []
    assert await ids_found(q=mark, workspace="default", tag="") == await ids_found(q=mark)
    assert (await platform.http.get("/api/prompts?workspace=nowhere")).status_code == 404


async def test_put_changes_what_was_sent_and_keeps_the_key(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="old", category="c", tags="t")
    sent = {"key": "other", "content": "new", "tags": "", "category": None, "id": "x"}
    answer = await platform.http.put(f"/api/prompts/{prompt['id']}", json=sent)
    changed = answer.json()["data"]
    assert changed["key"] == prompt["key"]
    assert (changed["content"], changed["tags"], changed["category"]) == ("new", "", "c")
    assert changed["updated_at"] > prompt["updated_at"]


async def test_put_with_another_env_moves_the_row(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="dev", content="moving")
    key, url = prompt["key"], f"/api/prompts/{prompt['id']}"
    assert (await platform.http.put(url, json={"env": "prod"})).json()["data"]["env"] == "prod"
    assert (await platform.fetch(key, "dev")).status_code == 404
    assert (await platform.fetch(key, "prod")).json()["content"] == "moving"
    await platform.create(key, env="dev")
    taken = await platform.http.put(url, json={"env": "dev"})
    assert taken.status_code == 409
    assert (await platform.fetch(key, "prod")).json()["content"] == "moving"


async def test_delete_takes_the_versions_with_it(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod")
    await platform.publish(prompt["id"])
    url = f"/api/prompts/{prompt['id']}"
    assert (await platform.http.delete(url)).text == '{"ok":true}'
    for gone in (url, f"{url}/versions"):
        assert (await platform.http.get(gone)).status_code == 404
    assert (await platform.http.delete(url)).status_code == 404
    assert (await platform.fetch(prompt["key"])).status_code == 404
    await platform.create(prompt["key"], env="prod")


async def test_before_the_first_publish_a_fetch_answers_the_working_copy(
    platform: RunningPlatform,
) -> None:
    prompt = await platform.create(env="prod", content="one", model="m1")
    answer = await platform.fetch(prompt["key"])
    assert answer.text == (
        f'{{"key":"{prompt["key"]}","version":"v1","env":"prod","model":"m1","content":"one"}}'
    )
    await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "two"})
    assert (await platform.fetch(prompt["key"])).json()["content"] == "two"


async def test_after_the_first_publish_edits_are_drafts(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", content="one", model="m1")
    version = await platform.publish(prompt["id"])
    assert next(iter(version)) == "id"
    assert (version["version"], version["content"]) == ("v1", "one")
    assert (version["author"], len(version["content_hash"])) == ("admin", 64)
    url = f"/api/prompts/{prompt['id']}"
    draft = await platform.http.put(url, json={"content": "two", "model": "m2"})
    assert draft.json()["data"]["published_version"] == "v1"
    served = (await platform.fetch(prompt["key"])).json()
    assert (served["content"], served["model"], served["version"]) == ("one", "m1", "v1")
    assert (await platform.publish(prompt["id"]))["version"] == "v2"
    served = (await platform.fetch(prompt["key"])).json()
    assert (served["content"], served["model"], served["version"]) == ("two", "m2", "v2")


async def test_publishing_the_same_again_makes_no_new_version(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="one")
    first = await platform.publish(prompt["id"])
    assert await platform.publish(prompt["id"]) == first
    versions = await platform.http.get(f"/api/prompts/{prompt['id']}/versions")
    assert versions.json()["data"] == [first]


async def test_a_taken_label_with_other_content_takes_the_next_free_one(
    platform: RunningPlatform,
) -> None:
    prompt = await platform.create(content="one")
    url = f"/api/prompts/{prompt['id']}"
    await platform.publish(prompt["id"])
    await platform.http.put(url, json={"content": "two", "version": "v7"})
    assert (await platform.publish(prompt["id"]))["version"] == "v7"
    await platform.http.put(url, json={"content": "three", "version": "v1"})
    assert (await platform.publish(prompt["id"]))["version"] == "v8"
    assert (await platform.http.get(url)).json()["data"]["version"] == "v8"
    await platform.http.put(url, json={"content": "four", "version": "beta.1"})
    assert (await platform.publish(prompt["id"]))["version"] == "beta.1"
    listed = (await platform.http.get(f"{url}/versions")).json()["data"]
    assert [version["version"] for version in listed] == ["beta.1", "v8", "v7", "v1"]
    assert listed[-1]["content"] == "one"


async def test_rollback_takes_effect_at_once(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", content="one")
    await platform.publish(prompt["id"])
    await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "two"})
    await platform.publish(prompt["id"])
    back = {"id": prompt["id"], "version": "v1"}
    rolled = (await platform.http.post("/api/prompts/rollback", json=back)).json()["data"]
    assert (rolled["version"], rolled["content"]) == ("v1", "one")
    assert rolled["published_version"] == "v1"
    assert (await platform.fetch(prompt["key"])).json()["content"] == "one"
    unknown = await platform.http.post("/api/prompts/rollback", json=back | {"version": "v9"})
    assert unknown.status_code == 404
    assert "v9" in unknown.json()["error"]
    assert (await platform.fetch(prompt["key"])).json()["content"] == "one"


async def test_publishes_at_once_never_share_a_label(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="0")

    async def edit_and_publish(number: int) -> None:
        await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": str(number)})
        await platform.publish(prompt["id"])

    await asyncio.gather(*(edit_and_publish(number) for number in range(12)))
    listed = (await platform.http.get(f"/api/prompts/{prompt['id']}/versions")).json()["data"]
    labels = [version["version"] for version in listed]
    assert len(labels) == len(set(labels))
    assert len({version["content_hash"] for version in listed}) <= 12


async def test_every_change_is_audited(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod")
    await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "x"})
    await platform.publish(prompt["id"])
    back = {"id": prompt["id"], "version": "v1"}
    await platform.http.post("/api/prompts/rollback", json=back)
    await platform.http.delete(f"/api/prompts/{prompt['id']}")
    page = (await platform.http.get("/api/audit", params={"limit": "200"})).json()
    own = [entry for entry in page["data"] if entry["resource_id"] == prompt["id"]]
    actions = [entry["action"] for entry in own]
    assert actions == ["delete", "rollback", "publish", "update", "create"]
    assert {entry["actor"] for entry in own} == {"admin"}
    assert page["total"] >= len(page["data"])
    paged = (await platform.http.get("/api/audit", params={"limit": "2", "offset": "1"})).json()
    assert [entry["id"] for entry in paged["data"]] == [e["id"] for e in page["data"][1:3]]


async def test_labels_of_any_number_can_be_published_again(platform: RunningPlatform) -> None:
    prompt = await platform.create(version="v999999999999999999")
    for content in ("one", "two", "three", "four"):
        await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": content})
        await platform.publish(prompt["id"])
    listed = (await platform.http.get(f"/api/prompts/{prompt['id']}/versions")).json()["data"]
    assert len({version["version"] for version in listed}) == 4


async def test_a_rollback_to_whatever_is_no_version_is_a_404(platform: RunningPlatform) -> None:
    prompt = await platform.create()
    for version in ("no such", "v1", "%"):
        body = {"id": prompt["id"], "version": version}
        answer = await platform.http.post("/api/prompts/rollback", json=body)
        assert answer.status_code == 404


async def test_a_draft_is_ahead_while_a_publish_would_change_what_is_served(
    platform: RunningPlatform,
) -> None:
    prompt = await platform.create(content="one")
    url = f"/api/prompts/{prompt['id']}"

    async def is_ahead() -> bool:
        one = (await platform.http.get(url)).json()["data"]["draft_ahead"]
        query = {"q": prompt["key"], "workspace": "default"}
        listed = (await platform.http.get("/api/prompts", params=query)).json()["data"]
        assert [row["draft_ahead"] for row in listed] == [one]
        return bool(one)

    assert not await is_ahead()
    await platform.publish(prompt["id"])
    assert not await is_ahead()
    await platform.http.put(url, json={"content": "two"})
    assert await is_ahead()
    await platform.http.put(url, json={"content": "one"})
    assert not await is_ahead()
    await platform.http.put(url, json={"config": {"temperature": 0}})
    assert await is_ahead()
