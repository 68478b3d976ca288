"""The doctor beside a whole platform that runs."""

import json
import subprocess

import pytest

from harness.processes import eventually
from harness.up import ENGINE_SECONDS, PromptOps, promptops


def doctor(platform: PromptOps) -> tuple[int, dict[str, str]]:
    """The exit code, and the worst level of each check."""
    done = subprocess.run(
        [platform.argv[0], "doctor", "--json"],
        env=platform.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    levels: dict[str, str] = {}
    for finding in json.loads(done.stdout)["findings"]:
        if levels.get(finding["check"], "ok") == "ok" or finding["level"] == "problem":
            levels[finding["check"]] = finding["level"]
    return done.returncode, levels


@pytest.mark.trial
def test_a_platform_that_runs_is_well_and_is_told_when_it_is_not() -> None:
    with promptops("up", {"provider_hosts": "127.0.0.1:9", "token": "my own"}) as platform:
        platform.start()
        with platform.client() as client:
            eventually(
                lambda: client.get("/ready?runs=true").status_code == 200, seconds=ENGINE_SECONDS
            )
        code, levels = doctor(platform)
        assert code == 0, levels
        well = ("data folder", "database", "platform", "engine", "prefect", "installation")
        assert {levels[check] for check in well} == {"ok"}, levels
        platform.kill()
        platform.all_gone()
        code, levels = doctor(platform)
        assert code == 0, levels
        assert levels["database"] == "ok"
