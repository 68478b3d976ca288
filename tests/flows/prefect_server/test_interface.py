"""Prefect's web interface as served by the embedded server. The browser tests are in web/e2e."""

import re
from pathlib import Path

import httpx
import prefect
import pytest

from harness.prefect_server import PrefectServer
from promptops_flows.prefect_server.interface_copy import with_buttons, without_statistics

ASSETS = Path(prefect.__ui_v2_static_path__, "assets")
CONDITION = re.compile(rb"\w+\(\w+\.state_type\)&&\w+\.deployment_id")
ACCOUNT = re.compile(rb"return`[0-9a-f]{32}`")


def shipped(pattern: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in ASSETS.glob(pattern)}


def served(server: PrefectServer, names: list[str]) -> dict[str, bytes]:
    folder = server.data / "prefect" / "ui" / "v2" / "assets"
    return {name: (folder / name).read_bytes() for name in names}


def conditions_in(scripts: dict[str, bytes]) -> int:
    return sum(len(CONDITION.findall(script)) for script in scripts.values())


def test_the_analytics_service_gets_no_request(prefect_server: PrefectServer) -> None:
    scripts = shipped("index-*.js")
    assert any(ACCOUNT.search(script) for script in scripts.values())
    copies = served(prefect_server, list(scripts))
    assert not any(ACCOUNT.search(script) for script in copies.values())
    assert all(without_statistics(script) == script for script in copies.values())


def test_cancel_and_retry_need_no_deployment(prefect_server: PrefectServer) -> None:
    scripts = shipped("flow-run._id-*.js")
    copies = served(prefect_server, list(scripts))
    conditions, left = conditions_in(scripts), conditions_in(copies)
    # The third hides Pause, which runs of the engine don't support.
    assert (conditions, left) == (3, 1)
    # A second start changes nothing.
    assert all(with_buttons(script) == script for script in copies.values())


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/", "/v2/"),
        ("/runs/flow-run/0?tab=Logs", "/v2/runs/flow-run/0?tab=Logs"),
        ("//evil.example/x", "/v2/evil.example/x"),
        ("/docs", "/v2/docs"),
        ("/v2x", "/v2/v2x"),
    ],
)
def test_paths_of_the_older_interface_lead_to_the_newer(
    prefect_server: PrefectServer, path: str, target: str
) -> None:
    answer = httpx.get(prefect_server.api_url.removesuffix("/api") + path)
    assert (answer.status_code, answer.headers["location"]) == (307, target)


def test_pages_may_load_and_call_only_their_own_host(prefect_server: PrefectServer) -> None:
    root = prefect_server.api_url.removesuffix("/api")
    answer = httpx.get(f"{root}/v2/dashboard", headers={"Accept": "text/html"})
    directives = answer.headers["content-security-policy"].split("; ")
    policy = {name: sources for name, _, sources in (line.partition(" ") for line in directives)}
    assert policy["default-src"] == "'self'"
    assert policy["connect-src"] == f"'self' {root} {root.replace('http', 'ws')}"
    assert policy["frame-ancestors"] == "'none'"
    hosts = re.findall(r"https?://[^ ;]+", answer.headers["content-security-policy"])
    assert set(hosts) == {root}
    assert httpx.get(f"{root}/ui-settings").json()["available_uis"] == ["v2"]
