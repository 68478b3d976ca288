"""Floods of playground calls and logins, while others edit, log in and read."""

import asyncio
import itertools
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio

from harness.callers import PASSWORD, Account, new_account
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
)
from harness.platform_fixtures import PRODUCT_ROUNDS
from harness.postgres import Postgres
from promptops_platform.access import passwords
from promptops_platform.runlog.call_log import GROUP_RUNS

pytestmark = pytest.mark.trial

PLAYGROUND_CLIENTS = 32
FAILING_LOGINS = 60
SHORT_EDITS, LONG_EDITS = 15, 300


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def database_kind(request: pytest.FixtureRequest) -> DatabaseKind:
    kind: DatabaseKind = request.param
    return kind


@pytest_asyncio.fixture(scope="module")
async def attacked(
    database_kind: DatabaseKind, postgres: Postgres
) -> AsyncIterator[RunningPlatform]:
    data = new_data_folder()
    # The flood comes from several addresses, as through a proxy.
    settings = await new_settings(database_kind, postgres, data, trusted_proxies="127.0.0.1")
    async with running_platform(settings) as running:
        yield running
    shutil.rmtree(data)


class Transactions:
    """Write transactions that were begun, by their kind, and the most runs that one recorded."""

    def __init__(self, platform: RunningPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: Counter[str] = Counter()
        self.most_runs = 0
        write, record = platform.platform.database.write, platform.platform.runlog.log.record_calls

        def counted(*, background: bool = False) -> Any:
            self.begun["background" if background else "foreground"] += 1
            return write(background=background)

        async def measured(transaction: Any, calls: Any) -> None:
            self.most_runs = max(self.most_runs, len(calls))
            await record(transaction, calls)

        monkeypatch.setattr(platform.platform.database, "write", counted)
        monkeypatch.setattr(platform.platform.runlog.log, "record_calls", measured)


@asynccontextmanager
async def flood(platform: RunningPlatform, asker: Account) -> AsyncIterator[Counter[str]]:
    """Until the block ends; counts the answers by their kind and status."""
    answers: Counter[str] = Counter()
    names = itertools.count()
    limits = httpx.Limits(max_connections=PLAYGROUND_CLIENTS + FAILING_LOGINS)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{platform.port}", timeout=60, verify=False, limits=limits
    ) as client:
        asking = [ask(client, asker, answers) for _ in range(PLAYGROUND_CLIENTS)]
        failing = [fail(client, names, answers) for _ in range(FAILING_LOGINS)]
        tasks = [asyncio.create_task(flooding) for flooding in (*asking, *failing)]
        try:
            yield answers
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(error) for error in ended} == {asyncio.CancelledError}, ended


async def ask(client: httpx.AsyncClient, asker: Account, answers: Counter[str]) -> None:
    headers = {"authorization": f"Bearer {asker.token}"}
    while True:
        answer = await client.post(
            "/api/playground/run", json={"content": "Say hello."}, headers=headers
        )
        answers[f"playground {answer.status_code}"] += 1


async def fail(client: httpx.AsyncClient, names: Any, answers: Counter[str]) -> None:
    """Guess at some accounts, from several addresses."""
    while True:
        number = next(names)
        body = {"username": f"nobody-{number % 40}", "password": "wrong"}
        headers = {"x-forwarded-for": f"198.51.100.{number % 7}"}
        answer = await client.post("/api/login", json=body, headers=headers)
        answers[f"login {answer.status_code}"] += 1


async def edit(platform: RunningPlatform, prompt: str, number: int) -> None:
    body = {"content": f"edit {number}"}
    assert (await platform.http.put(f"/api/prompts/{prompt}", json=body)).status_code == 200


async def log_in(platform: RunningPlatform, person: Account) -> None:
    body = {"username": person.name, "password": PASSWORD}
    async with platform.client(None) as client:
        answer = await client.post("/api/login", json=body, timeout=120)
    assert answer.status_code == 200, answer.text


@pytest.fixture(autouse=True)
def fewer_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the work for each password, as a busy machine has little to spare."""
    monkeypatch.setattr(passwords, "ROUNDS", PRODUCT_ROUNDS // 10)


@pytest.mark.timeout(600)
async def test_edits_logins_and_reads_go_on_under_floods(
    attacked: RunningPlatform, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    edits = LONG_EDITS if pytestconfig.getoption("--long") else SHORT_EDITS
    prompt = (await attacked.create(content="before"))["id"]
    viewer, person = await new_account(attacked), await new_account(attacked)
    transactions = Transactions(attacked, monkeypatch)
    async with flood(attacked, viewer) as answers:
        while answers["playground 200"] < 50 or answers["login 429"] < 50:
            await asyncio.sleep(0.01)
        for number in range(edits):
            await edit(attacked, prompt, number)
        await log_in(attacked, person)
        stats = (await attacked.http.get("/api/runs/stats")).json()
    assert stats["total"] >= 50
    # Nothing but the limits refused anybody.
    assert {answer.split()[1] for answer in answers} <= {"200", "401", "429"}
    assert transactions.most_runs <= GROUP_RUNS
    if attacked.platform.database.engines.is_sqlite:
        # Besides the edits, the login alone wrote at once, however many failed.
        assert transactions.begun["foreground"] <= edits + 1
    assert transactions.begun["background"] < sum(answers.values())


async def test_failing_logins_of_one_address_leave_a_place_in_the_line_to_others(
    attacked: RunningPlatform,
) -> None:
    person = await new_account(attacked)
    async with attacked.client(None) as client:
        failing = [
            asyncio.create_task(
                client.post(
                    "/api/login",
                    json={"username": f"someone-{number}", "password": "wrong"},
                    headers={"x-forwarded-for": "203.0.113.7"},
                    timeout=60,
                )
            )
            for number in range(FAILING_LOGINS)
        ]
        while not passwords._hashing._queue.waiting:
            await asyncio.sleep(0)
        await log_in(attacked, person)
        # It did not wait for all that came before it.
        assert not all(task.done() for task in failing)
        statuses = Counter([(await task).status_code for task in failing])
    assert set(statuses) <= {401, 429}
    assert statuses[401] > 0
