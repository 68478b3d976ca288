"""Runs all checks."""

import asyncio

from promptops_platform.diagnosis.database import look_at_database
from promptops_platform.diagnosis.elsewhere import look_at_models, look_at_token, look_at_traces
from promptops_platform.diagnosis.finding import Finding
from promptops_platform.diagnosis.folder import look_at_folder
from promptops_platform.diagnosis.installation import look_at_installation
from promptops_platform.diagnosis.running import (
    look_at_engine,
    look_at_platform,
    look_at_prefect,
)
from promptops_platform.settings import Settings


async def examine(settings: Settings) -> list[Finding]:
    """Return the findings, in the order of dependencies. Takes some seconds at most, even if
    something doesn't respond."""
    findings_by_area = await asyncio.gather(
        look_at_installation(),
        look_at_token(settings),
        look_at_folder(settings),
        look_at_database(settings),
        look_at_platform(settings),
        look_at_engine(settings),
        look_at_prefect(settings),
        look_at_traces(settings),
        look_at_models(settings),
    )
    return [finding for findings in findings_by_area for finding in findings]
