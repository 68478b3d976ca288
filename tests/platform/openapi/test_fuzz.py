"""Schemathesis over the whole API: no 5xx, and no answer that the description doesn't declare.

It reads the served document, so a new route is tried without being named here.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.platform import TOKEN, DatabaseKind, new_settings, running_platform
from harness.postgres import Postgres
from promptops_platform.app import openapi
from promptops_platform.openapi.schema import operations

# For each operation. They are always the same ones, so more of them are tried with --long alone.
EXAMPLES = 2
LONG_EXAMPLES = 5
# "coverage" tries each bound of each field; once is enough, on the database that refuses more:
# PostgreSQL takes no U+0000, and no number that is too long for its column.
PHASES = {
    "sqlite": "examples,fuzzing,stateful",
    "postgresql": "examples,coverage,fuzzing,stateful",
}
# Five of six cases of "coverage", and a minute and a half, are values that the description refuses.
# Those are tried with --long; otherwise by the other phases, at random, and by the tests of fields.
ACCEPTED_VALUES_ONLY = '[phases.coverage]\ngeneration.mode = "positive"\n'
# The engine knows the times of a timetable.
SCHEDULES = ("/api/schedules", "/api/schedules/{schedule_id}", "/api/schedules/preview")
ANSWERS_503 = frozenset({"/ready", *SCHEDULES})
# A minute or two on an idle machine; this only ends what hangs.
LONGEST_SECONDS = 600
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "unsupported_method",
    "use_after_free",
    "ensure_resource_availability",
)


def configuration() -> str:
    """What may answer a failed step's 502 also answers 503 here, where no engine runs; so does who
    asks whether runs can be taken, and what waits for a revision, which does not come."""
    expected = 'expected-statuses = ["2xx", "3xx", "4xx", 502, 503]'
    return "\n".join(
        f'[[operations]]\ninclude-operation-id = "{operation["operationId"]}"\n'
        f"checks.not_a_server_error.{expected}\n"
        for path, _method, operation in operations(openapi())
        if "502" in operation["responses"] or path in ANSWERS_503 or _waits(operation)
    )


def _waits(operation: dict[str, Any]) -> bool:
    return any(parameter["name"] == "min_revision" for parameter in operation.get("parameters", []))


async def schemathesis(
    port: int, folder: Path, phases: str, *, every_value: bool
) -> tuple[int, str]:
    """Its exit code and what it printed."""
    config = folder / "schemathesis.toml"
    config.write_text(("" if every_value else ACCEPTED_VALUES_ONLY) + configuration())
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    process = await asyncio.create_subprocess_exec(
        *command,
        f"http://127.0.0.1:{port}/openapi.json",
        f"--header=Authorization: Bearer {TOKEN}",
        f"--checks={','.join(CHECKS)}",
        f"--max-examples={LONG_EXAMPLES if every_value else EXAMPLES}",
        f"--phases={phases}",
        "--generation-deterministic",
        "--continue-on-failure",
        "--warnings=off",
        "--no-color",
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), LONGEST_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, printed.decode()


@pytest.mark.timeout(LONGEST_SECONDS + 30)
async def test_nothing_that_is_sent_brings_an_undeclared_answer(
    database_kind: DatabaseKind,
    postgres: Postgres,
    data_folder: Path,
    capsys: pytest.CaptureFixture[str],
    pytestconfig: pytest.Config,
) -> None:
    every_value = pytestconfig.getoption("--long")
    # Its own platform: a deleted workspace or an ended session is nobody else's.
    settings = await new_settings(database_kind, postgres, data_folder, engine_wait_seconds=0.01)
    async with running_platform(settings) as running:
        exit_code, printed = await schemathesis(
            running.port, data_folder, PHASES[database_kind], every_value=every_value
        )
    # The platform's log of all requests would bury what is said here.
    capsys.readouterr()
    assert f"Tested: {len(list(operations(openapi())))}" in printed, printed
    assert exit_code == 0, printed
