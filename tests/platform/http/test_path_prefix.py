"""What a browser reads from headers, where a proxy serves the platform below a path."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from promptops_platform.access.session_cookie import forget_session, set_session
from promptops_platform.http.path_prefix import PathPrefix
from promptops_platform.settings import Settings


async def log_in(request: Request) -> Response:
    response = Response()
    if request.query_params.get("out"):
        forget_session(response)
    else:
        set_session(response, "token", seconds=60, secure=True)
    return response


async def lead(request: Request) -> Response:
    return Response(status_code=202, headers={"location": request.query_params["to"]})


def client() -> httpx.AsyncClient:
    app = Starlette(routes=[Route("/session", log_in), Route("/lead", lead)])
    transport = httpx.ASGITransport(app=PathPrefix(app, "/promptops"))
    return httpx.AsyncClient(transport=transport, base_url="http://platform")


@pytest.mark.parametrize("query", ["", "?out=1"])
async def test_the_session_is_for_the_path_only(query: str) -> None:
    async with client() as browser:
        answer = await browser.get(f"/session{query}")
    assert "; Path=/promptops/;" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("written", "sent"),
    [("/api/runs/1", "/promptops/api/runs/1"), ("https://a.example/b", "https://a.example/b")],
)
async def test_addresses_in_headers_have_the_path(written: str, sent: str) -> None:
    async with client() as browser:
        answer = await browser.get("/lead", params={"to": written})
    assert answer.headers["location"] == sent


@pytest.mark.parametrize(
    ("url", "prefix"),
    [
        (None, ""),
        ("https://example.org", ""),
        ("https://example.org/", ""),
        ("https://example.org/promptops/", "/promptops"),
    ],
)
def test_the_path_is_that_of_the_url(url: str | None, prefix: str) -> None:
    assert Settings(url=url).path_prefix == prefix
