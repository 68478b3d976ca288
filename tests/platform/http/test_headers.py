"""Headers that every answer has, or that say what a path takes."""

from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from harness.platform import RunningPlatform, new_key

ANSWERS = [
    ("GET", "/health", 200),
    ("GET", "/ready", None),
    ("GET", "/docs", 200),
    ("GET", "/docs/assets/none", 404),
    ("GET", "/openapi.json", 200),
    ("GET", "/metrics", 200),
    ("GET", "/api/me", 200),
    ("GET", "/api/prompts/none", 404),
    ("GET", "/api/sdk/prompts/none", 404),
    ("GET", "/v1/none", 404),
    ("PATCH", "/api/prompts", 405),
    ("POST", "/api/prompts", 400),
    ("OPTIONS", "/api/prompts", 204),
    ("HEAD", "/api/prompts", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
async def test_no_browser_guesses_a_type(
    platform: RunningPlatform, method: str, path: str, status: int | None
) -> None:
    answer = await platform.http.request(method, path)
    assert status in (None, answer.status_code)
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


async def test_no_browser_guesses_the_type_of_a_fetch(platform: RunningPlatform) -> None:
    key = (await platform.create(env="prod"))["key"]
    fetched = await platform.fetch(key)
    unchanged = await platform.http.get(
        f"/api/sdk/prompts/{key}", headers={"if-none-match": fetched.headers["etag"]}
    )
    assert (fetched.status_code, unchanged.status_code) == (200, 304)
    for answer in (fetched, unchanged):
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
        # SDKs ask again with the etag.
        assert answer.headers.get_list("cache-control") == ["private, no-cache"]


async def test_a_watcher_that_is_refused_gets_the_headers_too(platform: RunningPlatform) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{platform.port}/ws?token=wrong"):
            pass
    headers = refused.value.response.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


async def test_what_holds_a_secret_is_not_kept(platform: RunningPlatform) -> None:
    name = new_key()
    password = "correct horse battery"
    answers = [
        await platform.http.post("/api/users", json={"username": name, "password": password}),
        await platform.http.post("/api/login", json={"username": name, "password": password}),
        await platform.http.post("/api/keys", json={"name": name, "role": "viewer"}),
        await platform.http.get("/api/keys"),
        await platform.http.get("/api/prompts"),
        await platform.http.post("/api/login", json={"username": name, "password": "wrong"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 200, 401]
    for answer in answers:
        assert answer.headers.get_list("cache-control") == ["no-store"]


ALLOWED = {
    "/health": "GET, HEAD, OPTIONS",
    "/api/login": "POST, OPTIONS",
    "/api/prompts": "GET, HEAD, POST, OPTIONS",
    "/api/prompts/": "GET, HEAD, POST, OPTIONS",
    "/api/prompts/x": "GET, HEAD, PUT, DELETE, OPTIONS",
    "/api/prompts/x/rollout": "GET, HEAD, PUT, DELETE, OPTIONS",
    "/api/me/password": "PUT, OPTIONS",
    "/api/me/sessions": "DELETE, OPTIONS",
    "/api/keys/x": "DELETE, OPTIONS",
    "/api/sdk/prompts/x": "GET, HEAD, OPTIONS",
    "/api/runs": "GET, HEAD, OPTIONS",
    "/metrics": "GET, HEAD, OPTIONS",
}


@pytest.mark.parametrize("path", ALLOWED)
async def test_allow_names_the_methods_of_the_path(platform: RunningPlatform, path: str) -> None:
    allowed = ALLOWED[path]
    async with platform.client(None) as nobody:
        options = await nobody.options(path)
    assert (options.status_code, options.headers["allow"]) == (204, allowed)
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - set(
        allowed.split(", ")
    ):
        answer = await platform.http.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed), method
        if method != "HEAD":
            assert answer.json()["error"] == (
                f"{path.rstrip('/')} does not support {method}; use {allowed}"
            )


async def test_a_path_without_a_route_allows_nothing(platform: RunningPlatform) -> None:
    for method in ("OPTIONS", "HEAD", "GET", "POST"):
        answer = await platform.http.request(method, "/api/none")
        assert answer.status_code == 404
        assert "allow" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/health", "/api/prompts", "/api/me", "/api/runs/stats", "/docs", "/openapi.json"]
)
async def test_head_is_get_without_its_body(platform: RunningPlatform, path: str) -> None:
    def told_headers(headers: Any) -> dict[str, str]:
        return {name: headers[name] for name in headers if name not in ("date", "x-request-id")}

    get, head = await platform.http.get(path), await platform.http.head(path)
    assert (get.status_code, head.status_code, head.content) == (200, 200, b"")
    assert told_headers(head.headers) == told_headers(get.headers)


async def test_head_needs_what_get_needs(platform: RunningPlatform) -> None:
    async with platform.client(None) as nobody:
        assert (await nobody.head("/api/prompts")).status_code == 401
    assert (await platform.http.head("/api/prompts/none")).status_code == 404


async def test_a_slash_at_the_end_makes_no_difference(platform: RunningPlatform) -> None:
    key = (await platform.create(env="prod"))["key"]
    assert (await platform.http.get("/api/prompts/")).status_code == 200
    assert (await platform.http.get(f"/api/sdk/prompts/{key}/")).json()["key"] == key
    async with platform.client(None) as nobody:
        assert (await nobody.get("/api/me/")).status_code == 401
        assert (await nobody.get("/metrics/")).status_code == 401
        login = await nobody.post("/api/login/", json={"username": key, "password": "wrong"})
        assert login.json()["error"] == "wrong user name or password"
