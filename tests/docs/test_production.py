"""The examples of docs/production.md, with the real servers in front of a real platform."""

import asyncio
import json
import re
import shutil
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from harness.platform import (
    TOKEN,
    RunningPlatform,
    new_data_folder,
    new_key,
    new_settings,
    running_platform,
    until_found,
)
from harness.ports import free_port
from harness.walks import ROOT

PAGE = (ROOT / "docs" / "production.md").read_text()
NEEDED = {"nginx": ("nginx", "openssl"), "caddy": ("caddy", "openssl")}
PATH = "/promptops"
GLOBAL_OPTIONS = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"


def example(kind: str) -> str:
    (text,) = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(text)


def site(server: str, path: str) -> str:
    """The configuration of the page, below a path or not."""
    if server == "caddy":
        return example("txt caddyfile path" if path else "txt caddyfile")
    location = "    location / {\n        proxy_pass http://127.0.0.1:8080;\n"
    text = example("nginx")
    assert location in text
    return text.replace(location, example("nginx path")) if path else text


@asynccontextmanager
async def platform_at(url: str | None) -> AsyncIterator[RunningPlatform]:
    data = new_data_folder()
    settings = await new_settings("sqlite", None, data, trusted_proxies="127.0.0.1", url=url)
    async with running_platform(settings) as platform:
        yield platform
    shutil.rmtree(data)


@pytest_asyncio.fixture(scope="module")
async def behind_proxy() -> AsyncIterator[dict[str, RunningPlatform]]:
    """By the path at which it is served."""
    async with (
        platform_at(None) as at_root,
        platform_at(f"https://promptops.example.org{PATH}") as below,
    ):
        yield {"": at_root, PATH: below}


@pytest.mark.parametrize("server", ["nginx", "caddy"])
@pytest.mark.parametrize("path", ["", PATH], ids=["root", "path"])
async def test_a_proxy_passes_everything(
    behind_proxy: dict[str, RunningPlatform], tmp_path: Path, server: str, path: str
) -> None:
    if not all(map(shutil.which, NEEDED[server])):
        pytest.skip(f"needs {' and '.join(NEEDED[server])}")
    platform = behind_proxy[path]
    await certificate(tmp_path)
    async with proxy(server, site(server, path), platform.port, tmp_path) as origin:
        trusted = ssl.create_default_context(cafile=tmp_path / "promptops.pem")
        await passes_requests(origin, path, trusted)
        await passes_events(platform, origin + path, trusted)


async def passes_requests(origin: str, path: str, trusted: ssl.SSLContext) -> None:
    async with httpx.AsyncClient(base_url=origin, verify=trusted) as browser:
        page = await browser.get(f"{path}/w/default/prompts")
        assert page.headers["content-type"].startswith("text/html")
        for file in re.findall(r'(?:src|href)="(.*?)"', page.text):
            assert file.startswith(f"{path}/")
            assert (await browser.get(file)).status_code == 200, file
        login = await browser.post(
            f"{path}/api/session",
            json={"username": "admin", "password": "admin"},
            headers={"origin": origin},
        )
        assert login.status_code == 200, login.text
        assert "secure" in login.headers["set-cookie"].lower()
        assert f"; Path={path}/;" in login.headers["set-cookie"]
        session = await browser.get(f"{path}/api/session")
        assert session.json()["data"]["username"] == "admin"


async def passes_events(platform: RunningPlatform, origin: str, trusted: ssl.SSLContext) -> None:
    address = f"{origin.replace('https', 'wss')}/ws?token={TOKEN}&namespace=prod&client=python"
    async with connect(address, ssl=trusted) as watch:
        (client,) = await until_found(lambda: clients(platform))
        assert client["remote_addr"].startswith("127.0.0.1")
        key = new_key()
        await platform.create(key, env="prod")
        async with asyncio.timeout(30):
            while json.loads(await watch.recv()).get("key") != key:
                pass


async def clients(platform: RunningPlatform) -> list[dict[str, str]]:
    answer = await platform.http.get("/api/clients")
    shown: list[dict[str, str]] = answer.json()["data"]
    return shown


async def certificate(folder: Path) -> None:
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "promptops.key"), "-out", str(folder / "promptops.pem")]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    assert await status("openssl", "req", "-x509", "-days", "2", *kind, *names, *files) == 0


@asynccontextmanager
async def proxy(server: str, example: str, platform_port: int, folder: Path) -> AsyncIterator[str]:
    """The server with the example as its configuration, on another port."""
    port = free_port()
    text = example.replace("127.0.0.1:8080", f"127.0.0.1:{platform_port}")
    command = nginx(text, port, folder) if server == "nginx" else caddy(text, port, folder)
    process = await asyncio.create_subprocess_exec(
        *command, env={"HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/bin"}
    )
    try:
        await until_found(lambda: accepts(port))
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


def nginx(text: str, port: int, folder: Path) -> Sequence[str]:
    server = text.replace("443 ssl", f"127.0.0.1:{port} ssl").replace("/etc/ssl", str(folder))
    paths = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    frame = (
        f"daemon off;\npid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{server}}}"
    )
    (folder / "nginx.conf").write_text(frame)
    return ["nginx", "-e", "stderr", "-c", str(folder / "nginx.conf")]


def caddy(text: str, port: int, folder: Path) -> Sequence[str]:
    tls = f"\ttls {folder}/promptops.pem {folder}/promptops.key\n"
    site = text.replace("promptops.example.org {\n", f"https://127.0.0.1:{port} {{\n{tls}")
    (folder / "Caddyfile").write_text(GLOBAL_OPTIONS + site)
    return ["caddy", "run", "--config", str(folder / "Caddyfile")]


async def accepts(port: int) -> list[bool]:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return []
    writer.close()
    return [True]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
async def test_the_unit_is_one(tmp_path: Path) -> None:
    unit = tmp_path / "promptops.service"
    unit.write_text(example("ini unit").replace("/opt/promptops/bin/promptops", sys.executable))
    assert await status("systemd-analyze", "verify", "--recursive-errors=no", str(unit)) == 0


async def status(*command: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return process.returncode
