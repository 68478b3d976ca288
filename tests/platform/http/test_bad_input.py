"""Whatever is sent: a 4xx that names field, value and remedy, and nothing changed."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.platform import RunningPlatform, new_key

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


async def post(platform: RunningPlatform, path: str, content: bytes) -> httpx.Response:
    return await platform.http.post(path, content=content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "JSON object"),
        (b"{", "not valid JSON"),
        (b'{"key":"a",}', "not valid JSON"),
        (b"[]", "JSON object"),
        (b'"text"', "JSON object"),
        (b"\xff\xfe", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b'{"key":' + b"1" * 10_000 + b"}", "JSON"),
        (b"{}", "key: is required"),
        (b'{"key":null}', "key"),
        (b'{"key":5}', "key: input should be a valid string (got 5)"),
        (b'{"key":""}', "key"),
        (b'{"key":"two words"}', "' '"),
        (b'{"key":"a/b"}', "'/'"),
        (b'{"key":"a%2Fb"}', "'%'"),
        (b'{"key":".."}', "dot"),
        (b'{"key":"a\\u0000b"}', "U+0000"),
        (b'{"key":"k","content":"a\\u0000b"}', "content: contains the control character U+0000"),
        (b'{"key":"k","content":"a\\u001bb"}', "U+001B"),
        (b'{"key":"k","content":"\\ud800"}', "unicode string"),
        (b'{"key":"k","name":"two\\nlines"}', "U+000A"),
        (b'{"key":"k","content":["a"]}', "content"),
        (b'{"key":"k","tags":["a"]}', "tags"),
        (b'{"key":"k","env":"a b"}', "env"),
        (b'{"key":"k","version":{}}', "version"),
        (b'{"key":"' + b"k" * 201 + b'"}', "200"),
        (b'{"key":"k","content":"' + b"x" * 1_048_577 + b'"}', "1048576"),
    ],
)
async def test_a_bad_prompt_is_a_400(
    platform: RunningPlatform, content: bytes, message: str
) -> None:
    before = (await platform.http.get("/api/audit?limit=1")).json()["total"]
    answer = await post(platform, "/api/prompts", content)
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["error"]
    assert len(answer.json()["error"]) < 400
    assert (await platform.http.get("/api/audit?limit=1")).json()["total"] == before


async def test_an_unknown_workspace_is_named(platform: RunningPlatform) -> None:
    body = {"key": new_key(), "workspace": "nowhere"}
    answer = await platform.http.post("/api/prompts", json=body)
    assert answer.status_code == 404
    assert "nowhere" in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/prompts/unknown"),
        ("PUT", "/api/prompts/unknown"),
        ("DELETE", "/api/prompts/unknown"),
        ("GET", "/api/prompts/unknown/versions"),
        ("POST", "/api/prompts/publish"),
        ("POST", "/api/prompts/rollback"),
        ("GET", "/api/workflows/unknown"),
        ("PUT", "/api/workflows/unknown"),
        ("DELETE", "/api/workflows/unknown"),
        ("POST", "/api/workflows/unknown/run"),
        ("GET", "/api/agents/unknown"),
        ("PUT", "/api/agents/unknown"),
        ("DELETE", "/api/agents/unknown"),
        ("POST", "/api/agents/unknown/run"),
        ("GET", "/api/agents/unknown/conversations"),
        ("GET", "/api/agents/unknown/conversations/c"),
        ("DELETE", "/api/agents/unknown/conversations/c"),
        ("GET", "/api/runs/unknown"),
        ("GET", "/api/unknown"),
    ],
)
async def test_an_unknown_id_is_a_404(platform: RunningPlatform, method: str, path: str) -> None:
    body = None if method in ("GET", "DELETE") else {"id": "unknown"}
    if path == "/api/prompts/rollback":
        body = {"id": "unknown", "version": "v1"}
    answer = await platform.http.request(method, path, json=body)
    assert answer.status_code == 404
    assert "unknown" in answer.json()["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/prompts/a%00b",
        "/api/prompts?q=%00",
        "/api/prompts?q=%1b",
        "/api/runs?limit=x",
        "/api/runs?limit=-1",
        "/api/runs?offset=99999999999999999999",
        "/api/runs?status=odd",
    ],
)
async def test_a_bad_query_is_a_400(platform: RunningPlatform, path: str) -> None:
    answer = await platform.http.get(path)
    assert answer.status_code == 400, answer.text


async def test_a_larger_page_is_cut_to_the_longest(platform: RunningPlatform) -> None:
    for path in ("/api/runs?limit=5000", "/api/audit?limit=99999999999999999999"):
        assert (await platform.http.get(path)).status_code == 200


async def test_a_fetch_of_any_path_is_answered(platform: RunningPlatform) -> None:
    for key in ("%00", "a%2Fb", "a/b", "%ff", "", "k" * 5000, "%F0%9F%98%80"):
        answer = await platform.http.get(f"/api/sdk/prompts/{key}?env=%00")
        assert answer.status_code == 404, key
        assert answer.json()["error"]


async def test_an_over_long_body_is_a_413(platform: RunningPlatform) -> None:
    limit = platform.platform.settings.max_body_bytes
    answer = await post(platform, "/api/prompts", b" " * (limit + 1))
    assert answer.status_code == 413
    assert str(limit) in answer.json()["error"]

    async def without_length() -> AsyncIterator[bytes]:
        for _ in range(limit // 65536 + 1):
            yield b" " * 65536

    answer = await platform.http.post("/api/prompts", content=without_length())
    assert answer.status_code == 413
    assert (await platform.http.get("/health")).status_code == 200


async def test_json_is_read_whatever_its_content_type(platform: RunningPlatform) -> None:
    body = json.dumps({"key": new_key()}).encode()
    for given_type in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data"):
        answer = await platform.http.post(
            "/api/prompts", content=body, headers={"content-type": given_type}
        )
        assert answer.status_code in (200, 409), answer.text


async def test_no_secret_is_repeated(platform: RunningPlatform) -> None:
    for body in ({"username": "a", "password": "s3cret\u0000"}, {"token": "s3cret\u0000"}):
        answer = await platform.http.post("/api/login", json=body)
        assert answer.status_code == 400
        assert "s3cret" not in answer.text


async def test_wrong_methods_and_paths_are_said_so(platform: RunningPlatform) -> None:
    wrong_method = await platform.http.patch("/api/prompts", json={})
    assert (wrong_method.status_code, "PATCH" in wrong_method.text) == (405, True)
    assert (await platform.http.get("/api/nothing")).status_code == 404


async def test_a_callers_request_id_is_kept_if_it_is_harmless(platform: RunningPlatform) -> None:
    answer = await platform.http.get("/health", headers={"x-request-id": "abc-1.2_3"})
    assert answer.headers["x-request-id"] == "abc-1.2_3"
    answer = await platform.http.get("/health", headers={"x-request-id": "a b\tc"})
    assert len(answer.headers["x-request-id"]) == 32


PATHS = (
    "/api/prompts",
    "/api/prompts/publish",
    "/api/workflows",
    "/api/agents",
    "/api/login",
    "/api/workspaces",
)
FIELDS = ("key", "content", "env", "version", "tags", "id", "steps", "name", "slug", "username")


@settings(max_examples=150)
@given(
    path=st.sampled_from(PATHS),
    body=st.dictionaries(st.sampled_from(FIELDS), JSON) | JSON,
)
async def test_no_body_whatsoever_makes_a_5xx(
    platform: RunningPlatform, path: str, body: Any
) -> None:
    answer = await post(platform, path, json.dumps(body).encode())
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": "n" * 201}, "name"),
        ({"name": " "}, "name"),
        ({"name": "n", "slug": "a:b"}, "slug"),
        ({"name": "n", "slug": "s" * 65}, "slug"),
    ],
)
async def test_a_bad_workspace_is_a_400(
    platform: RunningPlatform, body: dict[str, str], message: str
) -> None:
    answer = await platform.http.post("/api/workspaces", json=body)
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["error"]


async def test_steps_nested_too_deeply_are_a_400(platform: RunningPlatform) -> None:
    deep: Any = "x"
    for _ in range(300):
        deep = [deep]
    steps = [{"type": "render", "template": "", "extra": deep}]
    body = {"key": new_key(), "steps": steps}
    answer = await platform.http.post("/api/workflows", json=body)
    assert answer.status_code == 400
    assert "deep" in answer.json()["error"]


async def test_options_is_answered_without_a_token(platform: RunningPlatform) -> None:
    async with platform.client(None) as nobody:
        for path in ("/api/prompts", "/api/login", "/api/sdk/prompts/x", "/health"):
            assert (await nobody.options(path)).status_code == 204
