"""Sends the lines of flow runs' pages to Prefect, including failures."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, cast
from uuid import uuid4

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import LogCreate

from harness.processes import WAIT_SECONDS
from promptops_flows.engine.prefect_gate import PrefectGate
from promptops_flows.engine.run_pages import RunPages


class Client:
    """A Prefect that answers each request with the next of these statuses, and then accepts all."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.batches: list[list[str]] = []

    async def create_logs(self, lines: Sequence[LogCreate]) -> None:
        self.batches.append([line.message for line in lines])
        if self.statuses:
            request = httpx.Request("POST", "http://prefect/logs/")
            response = httpx.Response(self.statuses.pop(0), request=request)
            response.raise_for_status()


def pages_of(client: Client) -> RunPages:
    gate = PrefectGate()
    gate.settle(None)
    return RunPages(cast("PrefectClient", cast("Any", client)), gate)


async def test_lines_of_all_runs_are_sent_together() -> None:
    client = Client()
    pages = pages_of(client)
    for number in range(3):
        pages.add(uuid4(), logging.INFO, f"line {number}")
    await pages.settle(20)
    assert client.batches == [["line 0", "line 1", "line 2"]]


async def test_lines_that_prefect_fails_to_store_are_sent_again_in_order() -> None:
    client = Client(503)
    pages = pages_of(client)
    for number in range(2):
        pages.add(uuid4(), logging.INFO, f"line {number}")
    await pages.settle(20)
    assert client.batches == [["line 0", "line 1"]] * 2


async def test_lines_that_prefect_rejects_do_not_delay_the_others() -> None:
    client = Client(422)
    pages = pages_of(client)
    pages.add(uuid4(), logging.INFO, "refused")
    await pages.settle(20)
    pages.add(uuid4(), logging.INFO, "next")
    await pages.settle(20)
    assert client.batches == [["refused"], ["next"]]


async def test_nothing_waits_for_prefect_while_it_is_down() -> None:
    client = Client()
    pages = RunPages(cast("PrefectClient", cast("Any", client)), PrefectGate())
    pages.add(uuid4(), logging.INFO, "unsent")
    async with asyncio.timeout(WAIT_SECONDS):
        await pages.settle(0.1)
    assert client.batches == []
