"""The history of what was served, and what the audit trail keeps of each change."""

from typing import Any

from harness.platform import RunningPlatform


async def history(platform: RunningPlatform, prompt_id: str, **query: str) -> dict[str, Any]:
    answer = await platform.http.get(f"/api/prompts/{prompt_id}/history", params=query)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def test_every_move_of_what_is_served(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="one")
    url = f"/api/prompts/{prompt['id']}"
    body = {"id": prompt["id"], "note": "first"}
    await platform.http.post("/api/prompts/publish", json=body)
    await platform.http.put(url, json={"content": "two"})
    await platform.publish(prompt["id"])
    await platform.publish(prompt["id"])
    back = {"id": prompt["id"], "version": "v1"}
    await platform.http.post("/api/prompts/rollback", json=back)
    await platform.http.put(url, json={"env": "test"})
    page = await history(platform, prompt["id"])
    assert page["total"] == 5
    assert {move["actor"] for move in page["data"]} == {"admin"}
    assert {move["variants"] for move in page["data"]} == {None}
    names = ("action", "env", "version", "previous_version", "note")
    assert [tuple(move[name] for name in names) for move in page["data"]] == [
        ("move", "test", "v1", "v1", "moved from dev"),
        ("rollback", "dev", "v1", "v2", ""),
        ("publish", "dev", "v2", "v1", ""),
        ("publish", "dev", "v1", None, "first"),
        ("create", "dev", None, None, ""),
    ]
    times = [move["created_at"] for move in page["data"]]
    assert times == sorted(times, reverse=True)
    part = await history(platform, prompt["id"], limit="2", offset="1")
    assert (part["data"], part["total"]) == (page["data"][1:3], 5)
    assert next(iter(part["data"][0])) == "id"


async def test_a_promotion_stands_in_the_other_rows_history(platform: RunningPlatform) -> None:
    prompt = await platform.create()
    await platform.publish(prompt["id"])
    made: dict[str, Any] = {}
    for publish in (False, True):
        body = {"env": "prod", "publish": publish}
        answer = await platform.http.post(f"/api/prompts/{prompt['id']}/promote", json=body)
        made = answer.json()["data"]
    moves = (await history(platform, made["id"]))["data"]
    assert [(move["action"], move["version"], move["note"]) for move in moves] == [
        ("promote", "v1", "promoted from v1 of dev"),
        ("create", None, "promoted from v1 of dev"),
    ]
    assert (await history(platform, prompt["id"]))["total"] == 2


async def test_the_history_goes_with_its_prompt(platform: RunningPlatform) -> None:
    prompt = await platform.create()
    await platform.http.delete(f"/api/prompts/{prompt['id']}")
    answer = await platform.http.get(f"/api/prompts/{prompt['id']}/history")
    assert answer.status_code == 404


async def test_the_audit_trail_keeps_what_differs(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="one", config={"seed": 1})
    url = f"/api/prompts/{prompt['id']}"
    await platform.http.put(url, json={"content": "two", "config": {"seed": 1}, "model": ""})
    await platform.publish(prompt["id"])
    await platform.http.put(url, json={"content": "three"})
    await platform.publish(prompt["id"])
    back = {"id": prompt["id"], "version": "v1"}
    await platform.http.post("/api/prompts/rollback", json=back)
    promote = {"env": "prod", "publish": True}
    made = (await platform.http.post(f"{url}/promote", json=promote)).json()["data"]
    await platform.http.delete(url)
    entries = (await platform.http.get("/api/audit", params={"limit": "200"})).json()["data"]

    def kept(prompt_id: str) -> list[tuple[str, Any, Any]]:
        own = [entry for entry in entries if entry["resource_id"] == prompt_id]
        return [(entry["action"], entry["before"], entry["after"]) for entry in reversed(own)]

    own = kept(prompt["id"])
    created, deleted = own.pop(0), own.pop()
    assert (created[1], created[2]["content"], created[2]["kind"]) == (None, "one", "text")
    assert (deleted[2], deleted[1]["content"], deleted[1]["published_version"]) == (
        None, "two", "v1",
    )  # fmt: skip
    assert own == [
        ("update", {"content": "one"}, {"content": "two"}),
        ("publish", {"published_version": None}, {"published_version": "v1"}),
        ("update", {"content": "two"}, {"content": "three"}),
        (
            "publish",
            {"version": "v1", "published_version": "v1"},
            {"version": "v2", "published_version": "v2"},
        ),
        (
            "rollback",
            {"version": "v2", "content": "three", "published_version": "v2"},
            {"version": "v1", "content": "two", "published_version": "v1"},
        ),
    ]
    ((action, before, after),) = kept(made["id"])
    assert (action, before) == ("promote", None)
    assert (after["env"], after["content"], after["published_version"]) == ("prod", "two", "v1")


async def test_a_move_names_the_variants_that_run_on(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="one")
    url = f"/api/prompts/{prompt['id']}"
    await platform.publish(prompt["id"])
    await platform.http.put(url, json={"content": "two"})
    await platform.publish(prompt["id"])
    rollout = {"enabled": True, "variant_a": "v1", "variant_b": "v2", "weight_a": 90}
    answer = await platform.http.put(f"{url}/rollout", json=rollout)
    variants = answer.json()["data"]["variants"]
    await platform.http.put(url, json={"content": "three"})
    await platform.publish(prompt["id"])
    back = {"id": prompt["id"], "version": "v3"}
    await platform.http.post("/api/prompts/rollback", json=back)
    moves = (await history(platform, prompt["id"], limit="3"))["data"]
    assert [(move["action"], move["version"], move["variants"]) for move in moves] == [
        ("rollback", "v3", None),
        ("publish", "v3", variants),
        ("rollout", "v2", variants),
    ]
