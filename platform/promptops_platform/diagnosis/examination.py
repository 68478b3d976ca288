"""Runs all checks."""

import asyncio

from promptops_platform.diagnosis.database import check_database
from promptops_platform.diagnosis.elsewhere import check_models, check_token, check_traces
from promptops_platform.diagnosis.finding import Finding
from promptops_platform.diagnosis.folder import check_folder
from promptops_platform.diagnosis.installation import check_installation
from promptops_platform.diagnosis.running import (
    check_engine,
    check_platform,
    check_prefect,
)
from promptops_platform.settings import Settings


async def examine(settings: Settings) -> list[Finding]:
    """Return the findings, in the order of dependencies. Takes some seconds at most, even if
    something doesn't respond."""
    findings_by_area = await asyncio.gather(
        check_installation(),
        check_token(settings),
        check_folder(settings),
        check_database(settings),
        check_platform(settings),
        check_engine(settings),
        check_prefect(settings),
        check_traces(settings),
        check_models(settings),
    )
    return [finding for findings in findings_by_area for finding in findings]
