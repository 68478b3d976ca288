"""Flow runs that a worker is offered by its work pool."""

from typing import cast

import httpx
import pytest
from prefect.client.orchestration import PrefectClient

from promptops_flows.worker.pool import WorkPool


class RefusingPrefect:
    """Answers every request with that status."""

    def __init__(self, status: int) -> None:
        self._status = status

    async def request(self, method: str, path: str, **content: object) -> httpx.Response:
        request = httpx.Request(method, f"http://prefect{path}")
        response = httpx.Response(self._status, request=request)
        raise httpx.HTTPStatusError("refused", request=request, response=response)


def pool_of(status: int) -> WorkPool:
    return WorkPool(cast("PrefectClient", RefusingPrefect(status)), "gpu", "one")


async def test_a_pool_that_does_not_exist_yet_has_no_runs() -> None:
    assert await pool_of(404).due(8) == []


async def test_other_refusals_are_errors() -> None:
    with pytest.raises(httpx.HTTPStatusError):
        await pool_of(500).due(8)
