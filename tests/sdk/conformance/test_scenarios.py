"""Every scenario, played by every SDK.

 Scenarios mostly wait for pauses that they test. Therefore each SDK plays in a separate thread, and
a test takes the outcome of its case.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
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

Outcomes = dict[tuple[str, str], Future[None]]


def play(driver: Driver, case: dict[str, Any], folder: Path) -> None:
    server = ScenarioServer()
    try:
        Player(driver, server, folder).play(case)
    finally:
        server.released.set()
        server.stop()
        closed = driver.ask({"op": "close"})
    assert closed == {"ok": True}


def play_all(name: str, outcomes: Outcomes, folder: Path) -> None:
    mine = [(case, future) for (of, case), future in outcomes.items() if of == name]
    failure: BaseException = AssertionError("the driver has ended")
    try:
        with running_driver(name) as driver:
            for number, (case, future) in enumerate(mine):
                own_folder = folder / f"{name}-{number}"
                own_folder.mkdir()
                try:
                    play(driver, CASES[case], own_folder)
                except AssertionError as failed:
                    future.set_exception(failed)
                else:
                    future.set_result(None)
    except Exception as error:  # noqa: BLE001 (told by each test)
        failure = error
    for _, future in mine:
        if not future.done():
            future.set_exception(failure)


@pytest.fixture(scope="session")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Outcomes]:
    chosen = [item.callspec.params for item in request.session.items if _is_scenario(item)]
    outcomes: Outcomes = {(scenario["sdk"], scenario["name"]): Future() for scenario in chosen}
    folder = tmp_path_factory.mktemp("scenarios")
    threads = [
        threading.Thread(target=play_all, args=(sdk, outcomes, folder))
        for sdk in COMMANDS
        if missing(sdk) is None and any(of == sdk for of, _ in outcomes)
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
    outcomes[sdk, name].result(LONGEST_SECONDS)
