"""Prepares runs at the engine, and waits for an engine that is not ready."""

import asyncio
import math
from dataclasses import replace

from promptops_flows.protocol.engine_client import (
    EngineClient,
    EngineRefused,
    EngineUnavailable,
    RunRequest,
    StartedRun,
)
from promptops_platform.errors import BadRequest, EngineNotReady
from promptops_platform.execution.start_patience import StartPatience
from promptops_platform.supervision.start_work import StartWork

START_RETRY_SECONDS = 0.2
# How often to check whether the start makes progress.
CHECK_SECONDS = 1.0
# Allowance for an engine that becomes ready at the very end of the wait.
LEAST_START_SECONDS = 2.0


class EngineStart:
    """`wait_seconds` is how long a caller waits for an engine that is not ready; `console_url` is
    the console's public address, which Prefect links to."""

    def __init__(
        self, engine: EngineClient, *, wait_seconds: float, work: StartWork, console_url: str
    ) -> None:
        self._engine = engine
        self._console_url = console_url
        self._wait_seconds = wait_seconds
        self._work = work

    async def prepare(self, request: RunRequest) -> StartedRun:
        """Prepare the run; nothing is executed before it is let go.

        Raises BadRequest if the engine refuses the run, and EngineNotReady.
        """
        request = replace(request, page_url=self.page_url(request))
        clock = asyncio.get_running_loop().time
        patience = StartPatience(self._wait_seconds, self._work, clock)
        while True:
            try:
                await self._engine.wait_ready(min(patience.left(), CHECK_SECONDS))
                left = max(patience.left(), LEAST_START_SECONDS)
                started = await self._engine.start(request, left)
            except EngineRefused as error:
                raise BadRequest(error.reason) from error
            except EngineUnavailable as error:
                if not patience.left():
                    raise EngineNotReady(
                        f"the run was not started: {error.reason}; try again",
                        retry_after=math.ceil(min(self._wait_seconds, 10)),
                    ) from error
                await asyncio.sleep(START_RETRY_SECONDS)
            else:
                self._work.finished()
                return started

    def page_url(self, request: RunRequest) -> str:
        """Return the console's page of the run."""
        return f"{self._console_url}/w/{request.workspace}/runs/{request.run_id}"
