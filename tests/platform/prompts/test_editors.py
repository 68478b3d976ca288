"""Two editors of one prompt."""

import asyncio
from typing import Any

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
        return await platform.http.put(url, json={"content": content, "revision": seen})

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
    for said in ("revision 1", "'admin'", current["updated_at"], "with revision 2"):
        assert said in body["error"]
    assert (await put("merged", 2)).status_code == 200


async def test_of_many_at_once_one_wins(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="start")
    url = f"/api/prompts/{prompt['id']}"

    async def put(number: int) -> int:
        async with platform.client(platform.http.headers["authorization"][7:]) as own:
            sent = {"content": str(number), "revision": 1}
            return (await own.put(url, json=sent)).status_code

    statuses = await asyncio.gather(*(put(number) for number in range(8)))
    assert sorted(statuses) == [200] + [409] * 7
    saved = (await platform.http.get(url)).json()["data"]
    assert (saved["revision"], saved["content"]) == (2, str(statuses.index(200)))


async def test_without_a_revision_the_last_write_wins(platform: RunningPlatform) -> None:
    prompt = await platform.create()
    url = f"/api/prompts/{prompt['id']}"
    for content in ("one", "two"):
        answer = await platform.http.put(url, json={"content": content, "revision": None})
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
async def test_a_bad_revision_is_a_400(platform: RunningPlatform, revision: Any) -> None:
    prompt = await platform.create()
    url = f"/api/prompts/{prompt['id']}"
    answer = await platform.http.put(url, json={"content": "x", "revision": revision})
    assert answer.status_code == 400
    assert "revision" in answer.json()["error"]


async def test_header_and_body_must_agree(platform: RunningPlatform) -> None:
    prompt = await platform.create()
    url = f"/api/prompts/{prompt['id']}"
    for revision, status in ((2, 400), (1, 200)):
        sent = {"content": "x", "revision": revision}
        answer = await platform.http.put(url, json=sent, headers={"if-match": '"1"'})
        assert answer.status_code == status
