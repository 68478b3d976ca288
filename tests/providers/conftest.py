from collections.abc import AsyncIterator

import pytest_asyncio

from harness.vendors import FakeVendor, fake_vendor
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.transport.address_policy import AddressPolicy


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[FakeVendor]:
    async with fake_vendor() as running:
        yield running


@pytest_asyncio.fixture(scope="session")
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway(AddressPolicy(allow_loopback=True)) as opened:
        yield opened
