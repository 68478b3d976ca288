"""The console's page and files, as a browser and as a program asks for them."""

import gzip
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from promptops_platform.console.pages import ConsolePages

PAGE = "<!doctype html><title>PromptOps</title>"
SCRIPT = "export default 1"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    assets = tmp_path / "assets"
    assets.mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "favicon.svg").write_text("<svg/>")
    (assets / "index-a1b2.js").write_text(SCRIPT)
    (assets / "index-a1b2.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    (assets / "secret.txt").write_text("not of the console")
    return tmp_path


def client_of(built: Path, prefix: str = "") -> httpx.AsyncClient:
    async def missing(_request: object) -> JSONResponse:
        return JSONResponse({"error": "there is no such route"}, status_code=404)

    api = Starlette(routes=[Route("/{path:path}", missing, methods=["GET", "POST"])])
    transport = httpx.ASGITransport(app=ConsolePages(api, built, prefix=prefix))
    return httpx.AsyncClient(transport=transport, base_url="http://console")


@pytest.mark.parametrize(
    "path", ["/", "/login", "/w/default/prompts/a.b", "/apiary", "/index.html"]
)
async def test_every_address_of_a_person_is_the_page(built: Path, path: str) -> None:
    async with client_of(built) as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.text == PAGE
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert "frame-ancestors 'none'" in policy
    assert not any("unsafe" in directive for directive in policy)


@pytest.mark.parametrize(
    "path", ["/api", "/api/nothing", "/v1/models", "/mcp", "/ofrep/v1", "/.well-known/x", "/ws/x"]
)
async def test_addresses_of_programs_are_never_the_page(built: Path, path: str) -> None:
    async with client_of(built) as client:
        answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]


async def test_a_hashed_file_is_compressed_and_never_asked_for_again(built: Path) -> None:
    async with client_of(built) as client:
        answer = await client.get("/assets/index-a1b2.js", headers={"accept-encoding": "br, gzip"})
        plain = await client.get("/assets/index-a1b2.js", headers={"accept-encoding": "identity"})
        refused = await client.get("/assets/index-a1b2.js", headers={"accept-encoding": "gzip;q=0"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text == plain.text == refused.text == SCRIPT
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/assets/gone-0000.js", "/assets/secret.txt", "/assets/../../pages.py"]
)
async def test_what_is_no_file_of_the_console_is_not_found(built: Path, path: str) -> None:
    async with client_of(built) as client:
        answer = await client.get(path)
    assert answer.status_code in (200, 404)
    assert "not of the console" not in answer.text
    assert "class ConsolePages" not in answer.text
    assert answer.status_code == 404 or answer.text == PAGE


def _remove(built: Path, name: str) -> None:
    for file in built.rglob(name):
        file.unlink()


@pytest.mark.parametrize(("path", "name"), [("/assets/index-a1b2.js", "*.js*"), ("/", "*.html")])
async def test_a_file_that_a_new_build_removes_is_not_found(
    built: Path, path: str, name: str
) -> None:
    async with client_of(built) as client:
        assert (await client.get(path)).status_code == 200
        _remove(built, name)
        assert (await client.get(path)).status_code == 404


async def test_only_reading_is_for_the_page(built: Path) -> None:
    async with client_of(built) as client:
        assert (await client.post("/w/default/prompts")).status_code == 404
        head = await client.head("/")
    assert head.status_code == 200
    assert head.headers["content-type"].startswith("text/html")


async def test_without_a_built_console_the_api_answers(tmp_path: Path) -> None:
    async with client_of(tmp_path) as client:
        assert (await client.get("/")).status_code == 404


async def test_below_a_path_the_page_names_its_files_there(built: Path) -> None:
    link = '<script src="/assets/a.js"></script><link href="//cdn.example/b"><link href="/c.svg">'
    (built / "index.html").write_text(link)
    async with client_of(built, "/promptops") as client:
        answer = await client.get("/w/default/prompts")
        assert (await client.get("/assets/index-a1b2.js")).text == SCRIPT
    assert answer.text == link.replace('"/assets', '"/promptops/assets').replace(
        '"/c.svg', '"/promptops/c.svg'
    )
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
