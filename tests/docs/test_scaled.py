"""The files of the scaled installation."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    listed: dict[str, Any] = compose["services"]
    return listed


def test_one_platform_starts_without_a_profile(services: dict[str, Any]) -> None:
    assert [name for name, item in services.items() if "profiles" not in item] == ["promptops"]


def test_the_scaled_profile_has_its_parts(services: dict[str, Any]) -> None:
    scaled = {name: item for name, item in services.items() if item.get("profiles") == ["scaled"]}
    assert {"proxy", "platform-1", "platform-2", "worker", "prefect", "postgres", "redis"} <= set(
        scaled
    )
    for name, item in scaled.items():
        for other in item.get("depends_on", {}):
            assert other in scaled, f"{name} waits for {other}, which another profile starts"
    assert scaled["worker"]["deploy"]["replicas"] == 2
    # Each platform has its own data folder.
    folders = [scaled[name]["volumes"] for name in ("platform-1", "platform-2")]
    assert folders[0] != folders[1]
    # Only the proxy is reached from outside.
    assert [name for name, item in scaled.items() if "ports" in item] == ["proxy"]


def test_prefect_uses_settings_that_it_has(services: dict[str, Any]) -> None:
    """A misspelt variable would be ignored."""
    names = {name for name in services["prefect"]["environment"] if name.startswith("PREFECT_")}
    code = (
        "import json; from prefect.settings import get_current_settings as settings;"
        "print(json.dumps(sorted(settings().to_environment_variables())))"
    )
    env = {**services["prefect"]["environment"], "PATH": "/usr/bin", "HOME": "/tmp"}
    read = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, env=env
    ).stdout
    own = {name for name in names if not name.startswith("PREFECT_REDIS_")}
    assert own <= set(json.loads(read))


def test_variables_of_the_files_are_explained(services: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    used = set(re.findall(r"\$\{([A-Z_]+)", text))
    explained = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert used <= explained
    assert services


def test_the_proxy_takes_its_file() -> None:
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("no Caddy here")
    file = ROOT / "deploy" / "Caddyfile"
    checked = subprocess.run(
        [caddy, "validate", "--adapter", "caddyfile", "--config", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
