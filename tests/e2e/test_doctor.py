"""The doctor beside a whole platform that runs."""

import json
import subprocess

from harness.processes import eventually
from harness.up import PromptOps, promptops


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
    found: dict[str, str] = {}
    for each in json.loads(done.stdout)["findings"]:
        if found.get(each["check"], "ok") == "ok" or each["level"] == "problem":
            found[each["check"]] = each["level"]
    return done.returncode, found


def test_a_platform_that_runs_is_well_and_is_told_when_it_is_not() -> None:
    with promptops("up", {"provider_hosts": "127.0.0.1:9", "token": "my own"}) as platform:
        platform.start()
        with platform.client() as client:
            eventually(lambda: client.get("/ready?runs=true").status_code == 200, seconds=60)
        code, found = doctor(platform)
        assert code == 0, found
        well = ("data folder", "database", "platform", "engine", "prefect", "installation")
        assert {found[check] for check in well} == {"ok"}, found
        platform.kill()
        platform.all_gone()
        code, found = doctor(platform)
        assert code == 0, found
        assert found["database"] == "ok"
