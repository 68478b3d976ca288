"""Every scenario, played by every SDK.

 Scenarios mostly wait for pauses that they test. Therefore each SDK plays in a separate thread, and
a test takes the outcome of its case.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from harness.scenario_server import ScenarioServer
from harness.scenarios import Player, all_cases
from harness.sdk_drivers import ALL_SDKS, COMMANDS, Driver, missing, running_driver

CASES = {case["name"]: case for case in all_cases()}
PLAYED = [(sdk, name) for sdk in COMMANDS for name in CASES]
# The test of the last case waits at most for all cases before it.
LONGEST_SECONDS = 280.0

# By SDK and the name of the case.
Outcomes = dict[str, dict[str, Future[None]]]


def play(driver: Driver, case: dict[str, Any], folder: Path) -> None:
    server = ScenarioServer()
    try:
        Player(driver, server, folder).play(case)
    finally:
        server.released.set()
        server.stop()
        closed = driver.ask({"op": "close"})
    assert closed == {"ok": True}


class Actor:
    """One SDK, which plays one case after another with the same driver."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._folder = folder
        self._plays = itertools.count(1)

    def play(self, cases: Iterable[str], outcomes: Mapping[str, Future[None]]) -> None:
        """Play each once. One that fails leaves the driver in an unknown state: the rest get a new
        one."""
        left = list(cases)
        while left:
            try:
                with running_driver(self._name) as driver:
                    while left:
                        play(driver, CASES[left[0]], self._own_folder())
                        outcomes[left.pop(0)].set_result(None)
            except Exception as failed:  # noqa: BLE001 (reported by the test of the case)
                if left:
                    outcomes[left.pop(0)].set_exception(failed)

    def _own_folder(self) -> Path:
        folder = self._folder / f"{self._name}-{next(self._plays)}"
        folder.mkdir()
        return folder


@pytest.fixture(scope="session")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Outcomes]:
    chosen = [item.callspec.params for item in request.session.items if _is_scenario(item)]
    outcomes: Outcomes = {sdk: {} for sdk in COMMANDS}
    for scenario in chosen:
        outcomes[scenario["sdk"]][scenario["name"]] = Future()
    folder = tmp_path_factory.mktemp("scenarios")
    threads = [
        threading.Thread(target=Actor(sdk, folder).play, args=(list(mine), mine))
        for sdk, mine in outcomes.items()
        if missing(sdk) is None
    ]
    for thread in threads:
        thread.start()
    yield outcomes
    for thread in threads:
        thread.join()


def _is_scenario(item: pytest.Item) -> bool:
    return getattr(item, "originalname", "") == test_scenario.__name__


@pytest.mark.timeout(LONGEST_SECONDS + 10)
@pytest.mark.parametrize(("sdk", "name"), PLAYED, ids=[": ".join(scenario) for scenario in PLAYED])
def test_scenario(sdk: str, name: str, outcomes: Outcomes) -> None:
    lacking = missing(sdk)
    if lacking is not None and os.environ.get(ALL_SDKS):
        pytest.fail(lacking)
    if lacking is not None:
        pytest.skip(lacking)
    outcomes[sdk][name].result(LONGEST_SECONDS)
