"""Two editors of one prompt."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from harness.platform import RunningPlatform


async def test_every_answer_names_the_revision(platform: RunningPlatform) -> None:
    prompt = await platform.create()
    url = f"/api/prompts/{prompt['id']}"
    assert prompt["revision"] == 1
    read = await platform.http.get(url)
    assert (read.headers["etag"], read.json()["data"]["revision"]) == ('"1"', 1)
    edited = await platform.http.put(url, json={"content": "x"})
    assert (edited.headers["etag"], edited.json()["data"]["revision"]) == ('"2"', 2)
    await platform.publish(prompt["id"])
    assert (await platform.http.get(url)).headers["etag"] == '"2"', "a publish is no edit"
    back = {"id": prompt["id"], "version": "v1"}
    rolled = await platform.http.post("/api/prompts/rollback", json=back)
    assert rolled.headers["etag"] == '"3"'


async def test_who_sends_back_the_whole_prompt_may_publish_in_between(
    platform: RunningPlatform,
) -> None:
    """As existing consoles do, which don't know what a revision is."""
    prompt = await platform.create(content="one")
    url = f"/api/prompts/{prompt['id']}"
    saved = (await platform.http.put(url, json=prompt | {"content": "two"})).json()["data"]
    await platform.publish(prompt["id"])
    again = await platform.http.put(url, json=saved | {"content": "three"})
    assert again.status_code == 200, again.text


@pytest.mark.parametrize("by_header", [True, False])
async def test_who_comes_second_gets_both_sides(platform: RunningPlatform, by_header: bool) -> None:
    prompt = await platform.create(content="start")
    url = f"/api/prompts/{prompt['id']}"

    async def put(content: str, seen: int) -> Any:
        if by_header:
            headers = {"if-match": f'"{seen}"'}
            return await platform.http.put(url, json={"content": content}, headers=headers)
        return await platform.http.put(url, json={"content": content, "if_revision": seen})

    assert (await put("first", 1)).status_code == 200
    second = await put("second", 1)
    assert second.status_code == 409
    body = second.json()
    current = (await platform.http.get(url)).json()["data"]
    assert body["current"] == current
    assert current["content"] == "first"
    assert body["mine"] == {"content": "second"}
    assert (body["changed_by"], body["changed_at"]) == ("admin", current["updated_at"])
    assert body["code"] == "edited_meanwhile"
    for part in ("revision 1", "'admin'", current["updated_at"], "if_revision 2"):
        assert part in body["error"]
    assert (await put("merged", 2)).status_code == 200


async def test_of_many_at_once_one_wins(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="start")
    url = f"/api/prompts/{prompt['id']}"

    async def put(number: int) -> int:
        async with platform.client(platform.http.headers["authorization"][7:]) as own:
            sent = {"content": str(number), "if_revision": 1}
            return (await own.put(url, json=sent)).status_code

    statuses = await asyncio.gather(*(put(number) for number in range(8)))
    assert sorted(statuses) == [200] + [409] * 7
    saved = (await platform.http.get(url)).json()["data"]
    assert (saved["revision"], saved["content"]) == (2, str(statuses.index(200)))


async def test_without_a_revision_the_last_write_wins(platform: RunningPlatform) -> None:
    prompt = await platform.create()
    url = f"/api/prompts/{prompt['id']}"
    for content in ("one", "two"):
        answer = await platform.http.put(url, json={"content": content, "if_revision": None})
        assert answer.status_code == 200
    anyway = await platform.http.put(url, json={"content": "three"}, headers={"if-match": "*"})
    assert anyway.json()["data"]["content"] == "three"


@pytest.mark.parametrize("tag", ['"7", "1"', 'W/"1"', '"1" ,W/"2"'])
async def test_a_list_of_tags_and_a_weak_one_match(platform: RunningPlatform, tag: str) -> None:
    prompt = await platform.create()
    url = f"/api/prompts/{prompt['id']}"
    answer = await platform.http.put(url, json={}, headers={"if-match": tag})
    assert answer.status_code == 200


@pytest.mark.parametrize("tag", ["1", "abc", '"abc"', '"', '"1" "2"', '"1",', '"-1"', "ä", '"²"'])
async def test_a_bad_tag_is_a_400(platform: RunningPlatform, tag: str) -> None:
    prompt = await platform.create()
    url = f"/api/prompts/{prompt['id']}"
    headers = {"if-match": tag.encode()}
    answer = await platform.http.put(url, json={"content": "x"}, headers=headers)
    assert answer.status_code == 400
    assert "if-match" in answer.json()["error"]
    assert (await platform.http.get(url)).json()["data"] == prompt


@pytest.mark.parametrize("revision", ["x", 1.5, [], {}])
async def test_a_bad_if_revision_is_a_400(platform: RunningPlatform, revision: Any) -> None:
    prompt = await platform.create()
    url = f"/api/prompts/{prompt['id']}"
    answer = await platform.http.put(url, json={"content": "x", "if_revision": revision})
    assert answer.status_code == 400
    assert "if_revision" in answer.json()["error"]


@pytest.mark.parametrize("revision", ["x", 1.5, [], {}, 7, -1, None])
async def test_a_revision_in_the_body_says_nothing(
    platform: RunningPlatform, revision: Any
) -> None:
    """It is a field of the answer, which existing consoles send back, more than once."""
    prompt = await platform.create()
    url = f"/api/prompts/{prompt['id']}"
    for content in ("one", "two"):
        saved = await platform.http.put(url, json={"content": content, "revision": revision})
        assert saved.status_code == 200, saved.text
    for path, body in (
        ("publish", {"id": prompt["id"]}),
        ("rollback", {"id": prompt["id"], "version": "v1"}),
    ):
        answer = await platform.http.post(
            f"/api/prompts/{path}", json={**body, "revision": revision}
        )
        assert answer.status_code == 200, answer.text


async def test_header_and_body_must_agree(platform: RunningPlatform) -> None:
    prompt = await platform.create()
    url = f"/api/prompts/{prompt['id']}"
    for revision, status in ((2, 400), (1, 200)):
        sent = {"content": "x", "if_revision": revision}
        answer = await platform.http.put(url, json=sent, headers={"if-match": '"1"'})
        assert answer.status_code == status


Act = Callable[[RunningPlatform, str, dict[str, Any]], Awaitable[httpx.Response]]


async def publish(platform: RunningPlatform, prompt_id: str, request: dict[str, Any]) -> Any:
    body = {"id": prompt_id, **request["json"]}
    return await platform.http.post("/api/prompts/publish", json=body, headers=request["headers"])


async def publish_and_wait(
    platform: RunningPlatform, prompt_id: str, request: dict[str, Any]
) -> Any:
    body = {"id": prompt_id, **request["json"]}
    url = "/api/prompts/publish?wait=100ms"
    return await platform.http.post(url, json=body, headers=request["headers"])


async def roll_back(platform: RunningPlatform, prompt_id: str, request: dict[str, Any]) -> Any:
    body = {"id": prompt_id, "version": "v1", **request["json"]}
    return await platform.http.post("/api/prompts/rollback", json=body, headers=request["headers"])


async def promote(platform: RunningPlatform, prompt_id: str, request: dict[str, Any]) -> Any:
    body = {"env": "test", "publish": True, **request["json"]}
    url = f"/api/prompts/{prompt_id}/promote"
    return await platform.http.post(url, json=body, headers=request["headers"])


async def roll_out(platform: RunningPlatform, prompt_id: str, request: dict[str, Any]) -> Any:
    body = {"enabled": True, "variant_a": "v1", "variant_b": "v1", **request["json"]}
    url = f"/api/prompts/{prompt_id}/rollout"
    return await platform.http.put(url, json=body, headers=request["headers"])


async def end_rollout(platform: RunningPlatform, prompt_id: str, request: dict[str, Any]) -> Any:
    url = f"/api/prompts/{prompt_id}/rollout"
    return await platform.http.request(
        "DELETE", url, json=request["json"] or None, headers=request["headers"]
    )


async def delete(platform: RunningPlatform, prompt_id: str, request: dict[str, Any]) -> Any:
    url = f"/api/prompts/{prompt_id}"
    return await platform.http.request(
        "DELETE", url, json=request["json"] or None, headers=request["headers"]
    )


def saying(revision: int, *, by_header: bool) -> dict[str, Any]:
    if by_header:
        return {"headers": {"if-match": f'"{revision}"'}, "json": {}}
    return {"headers": {}, "json": {"if_revision": revision}}


@pytest.mark.parametrize("by_header", [True, False])
@pytest.mark.parametrize(
    "act", [publish, publish_and_wait, roll_back, promote, roll_out, end_rollout, delete]
)
async def test_a_change_is_of_what_was_reviewed(
    platform: RunningPlatform, act: Act, by_header: bool
) -> None:
    prompt = await platform.create(env="dev", content="reviewed")
    url = f"/api/prompts/{prompt['id']}"
    await platform.publish(prompt["id"])
    await platform.http.put(url, json={"content": "not reviewed"})
    before = (await platform.http.get(url)).json()["data"]
    audited = (await platform.http.get("/api/audit?limit=1")).json()["total"]

    refused = await act(platform, prompt["id"], saying(1, by_header=by_header))
    assert refused.status_code == 409, refused.text
    body = refused.json()
    assert body["code"] == "edited_meanwhile"
    assert body["current"] == before
    assert "if_revision 2" in body["error"]
    assert (await platform.http.get(url)).json()["data"] == before
    assert (await platform.http.get("/api/audit?limit=1")).json()["total"] == audited

    wrong = {"headers": {"if-match": "2"}, "json": {}}
    assert (await act(platform, prompt["id"], wrong)).status_code == 400
    done = await act(platform, prompt["id"], saying(2, by_header=by_header))
    assert done.status_code == 200, done.text


async def test_a_rollout_has_a_tag_of_its_own(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="dev", content="text")
    await platform.publish(prompt["id"])
    url = f"/api/prompts/{prompt['id']}/rollout"
    fields = {"enabled": True, "variant_a": "v1", "variant_b": "v1"}
    none = (await platform.http.get(url)).headers["etag"]
    made = await platform.http.put(url, json=fields, headers={"if-match": none})
    assert made.status_code == 200, made.text
    first = made.headers["etag"]
    assert (await platform.http.get(url)).headers["etag"] == first
    second = await platform.http.put(url, json={"weight_a": 90}, headers={"if-match": first})
    assert second.status_code == 200
    for method, body in (("PUT", {"weight_a": 10}), ("DELETE", None)):
        for tag in (none, first):
            late = await platform.http.request(method, url, json=body, headers={"if-match": tag})
            assert late.status_code == 409, late.text
            assert late.json()["current"] == second.json()["data"]
    for tag in ('"rollout-"', '"rollout-x"', "rollout-1", '"v1"'):
        bad = await platform.http.put(url, json={"weight_a": 1}, headers={"if-match": tag})
        assert bad.status_code == 400, tag
    ended = await platform.http.delete(url, headers={"if-match": second.headers["etag"]})
    assert ended.status_code == 200
    assert (await platform.http.get(url)).headers["etag"] == none
