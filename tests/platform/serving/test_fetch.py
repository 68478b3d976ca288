"""The SDKs' fetch."""

import pytest

from harness.platform import RunningPlatform, new_key


async def test_env_defaults_to_prod(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", content="x")
    for query in ("", "?env=", "?env=prod", "?workspace=", "?workspace=default"):
        answer = await platform.http.get(f"/api/sdk/prompts/{prompt['key']}{query}")
        assert answer.json()["content"] == "x", query


async def test_an_unchanged_prompt_is_answered_with_304(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", content="x")
    path = f"/api/sdk/prompts/{prompt['key']}"
    etag = (await platform.http.get(path)).headers["etag"]
    for sent in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = await platform.http.get(path, headers={"if-none-match": sent})
        assert (answer.status_code, answer.content) == (304, b""), sent
        assert answer.headers["etag"] == etag
    await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "y"})
    answer = await platform.http.get(path, headers={"if-none-match": etag})
    assert (answer.status_code, answer.json()["content"]) == (200, "y")
    assert answer.headers["etag"] != etag


async def test_head_answers_without_body(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", content="x")
    answer = await platform.http.head(f"/api/sdk/prompts/{prompt['key']}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


async def test_unicode_keys_are_found(platform: RunningPlatform) -> None:
    key = f"grüße:{new_key()}.v2_日本"
    await platform.create(key, env="prod", content="ä\n\t€😀")
    assert (await platform.fetch(key)).json()["content"] == "ä\n\t€😀"


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("wrong", 401), ("", 401)])
async def test_a_fetch_needs_a_token(
    platform: RunningPlatform, token: str | None, status: int
) -> None:
    async with platform.client(token) as client:
        answer = await client.get("/api/sdk/prompts/x")
    assert answer.status_code == status
    assert "token" in answer.json()["error"]


async def test_an_unknown_prompt_is_named_in_the_404(platform: RunningPlatform) -> None:
    answer = await platform.fetch("no-such-key", "dev")
    assert answer.status_code == 404
    assert "no-such-key" in answer.json()["error"]
    assert "dev" in answer.json()["error"]


async def test_which_workspace_a_fetch_sees(platform: RunningPlatform) -> None:
    key, ids = new_key(), []
    for name in ("first", "second"):
        answer = await platform.http.post("/api/workspaces", json={"name": f"{name} {key}"})
        ids.append(answer.json()["data"]["id"])
    slug = answer.json()["data"]["slug"]
    for workspace in reversed(ids):
        await platform.create(key, env="prod", content=workspace, workspace=workspace)
    assert (await platform.fetch(key)).json()["content"] == ids[0], "the oldest that holds it"
    assert (await platform.fetch(key, workspace=ids[1])).json()["content"] == ids[1]
    assert (await platform.fetch(key, workspace=slug)).json()["content"] == ids[1]
    await platform.create(key, env="prod", content="default")
    assert (await platform.fetch(key)).json()["content"] == "default"
    assert (await platform.fetch(key, workspace="nowhere")).status_code == 404


async def test_browsers_of_any_origin_may_call_in_development(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod")
    path, origin = f"/api/sdk/prompts/{prompt['key']}", {"origin": "http://app.example"}
    answer = await platform.http.get(path, headers=origin)
    assert answer.headers["access-control-allow-origin"] == "*"
    preflight = await platform.http.options(
        path,
        headers=origin
        | {
            "access-control-request-method": "GET",
            "access-control-request-headers": "authorization",
        },
    )
    assert preflight.status_code == 200
    assert "authorization" in preflight.headers["access-control-allow-headers"]
