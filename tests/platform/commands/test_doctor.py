"""`promptops doctor` as an operator runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from harness.ports import free_port
from harness.up import COMMAND


def doctor(data: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PROMPTOPS_DATA": str(data),
        "PROMPTOPS_ADDR": f"127.0.0.1:{free_port()}",
        "PROMPTOPS_PREFECT_PORT": str(free_port()),
        "PROMPTOPS_PROVIDER_HOSTS": "127.0.0.1:9",
        **variables,
    }
    return subprocess.run(
        [str(COMMAND), "doctor", *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_ends_with_0_where_nothing_is_wrong(data_folder: Path) -> None:
    done = doctor(data_folder / "data")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "PROMPTOPS_TOKEN=(the default, which everybody knows)" in done.stdout
    assert "→ set PROMPTOPS_TOKEN to a secret of your own" in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].startswith("0 problems")
    assert list(data_folder.iterdir()) == []


def test_it_ends_with_1_at_a_problem_and_speaks_json(data_folder: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}/api"
    done = doctor(data_folder, "--json", PREFECT_API_URL=away, PROMPTOPS_TOKEN="not-shown")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["ok"] is False
    problems = [each for each in report["findings"] if each["level"] == "problem"]
    assert [each["check"] for each in problems] == ["prefect"]
    assert all(each["remedy"] for each in problems)
    assert report["settings"]["PREFECT_API_URL"] == away
    assert "not-shown" not in done.stdout


def test_wrong_settings_are_named_and_not_repeated(data_folder: Path) -> None:
    done = doctor(
        data_folder,
        PROMPTOPS_ADDR="nowhere",
        PROMPTOPS_DATABASE_URL="mysql://ada:secret-word@db/x",
        OTEL_EXPORTER_OTLP_ENDPOINT="collector:4318",
    )
    assert done.returncode == 1
    for name in ("PROMPTOPS_ADDR", "PROMPTOPS_DATABASE_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        assert f"settings: {name}: " in done.stdout
    assert "secret-word" not in done.stdout + done.stderr
