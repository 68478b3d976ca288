"""Pages of lists."""

from typing import Any

import pytest

from harness.platform import RunningPlatform, new_key


async def page(platform: RunningPlatform, path: str, **query: Any) -> tuple[list[str], int]:
    answer = await platform.http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return [row["id"] for row in body["data"]], body["total"]


async def test_prompts_come_in_pages_or_all_at_once(platform: RunningPlatform) -> None:
    mark = new_key()
    made = [(await platform.create(category=mark))["id"] for _ in range(5)]
    made.reverse()
    assert await page(platform, "/api/prompts", category=mark) == (made, 5)
    assert await page(platform, "/api/prompts", category=mark, limit="") == (made, 5)
    assert await page(platform, "/api/prompts", category=mark, limit=2) == (made[:2], 5)
    assert await page(platform, "/api/prompts", category=mark, limit=2, offset=4) == (made[4:], 5)
    assert await page(platform, "/api/prompts", category=mark, offset=3) == (made[3:], 5)
    assert await page(platform, "/api/prompts", category=mark, limit=1, offset=9) == ([], 5)
    assert await page(platform, "/api/prompts", category=f"{mark}x", limit=5) == ([], 0)


async def test_versions_come_in_pages_or_all_at_once(platform: RunningPlatform) -> None:
    prompt = await platform.create()
    made = []
    for number in range(4):
        await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": str(number)})
        made.append((await platform.publish(prompt["id"]))["id"])
    made.reverse()
    path = f"/api/prompts/{prompt['id']}/versions"
    assert await page(platform, path) == (made, 4)
    assert await page(platform, path, limit=3) == (made[:3], 4)
    assert await page(platform, path, limit=3, offset=3) == (made[3:], 4)
    assert await page(platform, path, offset=1) == (made[1:], 4)


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=-1", "offset=-1", "offset=x"])
async def test_a_bad_page_is_a_400(platform: RunningPlatform, query: str) -> None:
    prompt = await platform.create()
    for path in ("", f"/{prompt['id']}/versions", f"/{prompt['id']}/history"):
        answer = await platform.http.get(f"/api/prompts{path}?{query}")
        assert answer.status_code == 400, path
        assert query.partition("=")[0] in answer.json()["error"]
