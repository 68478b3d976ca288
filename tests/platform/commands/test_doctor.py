"""`promptops doctor` as an operator runs it."""

import json
import subprocess
from pathlib import Path

from harness.commands import run_command
from harness.ports import free_port


def doctor(data: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PROMPTOPS_DATA": str(data),
        "PROMPTOPS_ADDR": f"127.0.0.1:{free_port()}",
        "PROMPTOPS_PREFECT_PORT": str(free_port()),
        "PROMPTOPS_PROVIDER_HOSTS": "127.0.0.1:9",
        **variables,
    }
    return run_command(["doctor", *arguments], env)


def test_it_ends_with_0_where_nothing_is_wrong(data_folder: Path) -> None:
    done = doctor(data_folder / "data")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "PROMPTOPS_TOKEN=(the well-known default)" in done.stdout
    assert "→ set PROMPTOPS_TOKEN to a secret of your own" in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].startswith("0 problems")
    assert list(data_folder.iterdir()) == []


def test_it_ends_with_1_at_a_problem_and_speaks_json(data_folder: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}/api"
    done = doctor(data_folder, "--json", PREFECT_API_URL=away, PROMPTOPS_TOKEN="not-shown")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["ok"] is False
    problems = [finding for finding in report["findings"] if finding["level"] == "problem"]
    assert [finding["check"] for finding in problems] == ["prefect"]
    assert all(finding["remedy"] for finding in problems)
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
