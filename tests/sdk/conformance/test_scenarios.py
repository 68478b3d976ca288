"""Every scenario, played by every SDK."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.scenario_server import ScenarioServer
from harness.scenarios import Player, all_cases
from harness.sdk_drivers import COMMANDS, Driver, missing, running_driver

CASES = all_cases()
# `make test` sets it: there every SDK has to be built.
ALL_SDKS = "PROMPTOPS_TEST_ALL_SDKS"


@pytest.fixture(scope="module", params=COMMANDS)
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    lacking = missing(request.param)
    if lacking is not None:
        if os.environ.get(ALL_SDKS):
            pytest.fail(lacking)
        pytest.skip(lacking)
    with running_driver(request.param) as running:
        yield running


@pytest.fixture
def server() -> Iterator[ScenarioServer]:
    running = ScenarioServer()
    yield running
    running.released.set()
    running.stop()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_scenario(
    driver: Driver, server: ScenarioServer, tmp_path: Path, case: dict[str, Any]
) -> None:
    Player(driver, server, tmp_path).play(case)
    server.released.set()
    server.drop_connections()
    assert driver.ask({"op": "close"}) == {"ok": True}
