"""The short way of a fetch answers what the layers answer."""

from itertools import product

import httpx
import pytest

from harness.platform import RunningPlatform

# With a cookie a request passes all layers.
OF_A_BROWSER = {"cookie": "theme=dark"}
QUERIES = ("", "?env=nowhere", "?explain=1", "?explain=perhaps", "?full=1", "?full=1&subject=a")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"if-none-match": "*"},
        {"host": "elsewhere.example"},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic abc"},
    ],
)
async def test_both_ways_answer_alike(platform: RunningPlatform, headers: dict[str, str]) -> None:
    prompt = await platform.create(env="prod", content="Hi {{name}}")
    for method, query in product(("GET", "HEAD", "POST"), QUERIES):
        path = f"/api/sdk/prompts/{prompt['key']}{query}"
        short = await platform.http.request(method, path, headers=headers)
        long = await platform.http.request(method, path, headers=headers | OF_A_BROWSER)
        assert _comparable(short) == _comparable(long), (method, query)


def _comparable(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body, without what differs from request to request."""
    assert answer.headers["x-request-id"]
    own = ("date", "x-request-id")
    headers = {name: value for name, value in answer.headers.items() if name not in own}
    return answer.status_code, headers, answer.content


async def test_a_callers_request_id_is_kept(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", content="x")
    path = f"/api/sdk/prompts/{prompt['key']}"
    kept = await platform.http.get(path, headers={"x-request-id": "my-id_1"})
    forged = await platform.http.get(path, headers={"x-request-id": "a b"})
    assert kept.headers["x-request-id"] == "my-id_1"
    assert forged.headers["x-request-id"] not in ("", "a b")
