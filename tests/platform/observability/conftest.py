"""A platform and an engine whose spans go to a collector."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from harness.engine import EngineProcess, running_engine, use_engine
from harness.otlp import Collector, otlp_collector
from harness.platform import RunningPlatform, new_settings, running_platform
from harness.prefect_server import PrefectServer


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with otlp_collector() as running:
        yield running


@pytest.fixture(scope="module")
def traced_engine(prefect_server: PrefectServer, collector: Collector) -> Iterator[EngineProcess]:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with running_engine(
        prefect_server.api_url, prefect_server.auth, environment=environment
    ) as process:
        yield process


@pytest_asyncio.fixture
async def traced(
    data_folder: Path, collector: Collector, traced_engine: EngineProcess
) -> AsyncIterator[RunningPlatform]:
    settings = await new_settings(
        "sqlite", None, data_folder, engine_wait_seconds=30, otel_endpoint=collector.url
    )
    async with running_platform(settings) as platform:
        use_engine(platform, traced_engine)
        yield platform
