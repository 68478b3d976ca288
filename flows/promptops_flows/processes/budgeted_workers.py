"""Child processes for work that may never end: each does one job at a time, and one that exceeds
its budget of processor time ends and is replaced.

The budget is processor time, so that a cheap job doesn't fail on a busy machine. The child enforces
it itself; the parent kills a child that takes much longer by the clock.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

# The limit for a job and its result; a longer line isn't from us.
MAX_LINE_BYTES = 64 * 1024 * 1024
# Includes the start of an interpreter.
_START_SECONDS = 60.0
# A child may get only a fraction of a processor on a busy machine.
_LEAST_PROCESSOR_SHARE = 0.05
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV")


class BudgetExceededError(Exception):
    """The job exceeded its budget of time or memory; its process has ended."""


class BudgetedWorkers:
    """`module` is run with `python -m`: it writes a line when it is ready, then answers each line
    of JSON, `{"job": ..., "seconds": ...}`, with one line, or ends. Workers start when first
    needed; at most `count` jobs run at a time."""

    def __init__(self, module: str, count: int = 2) -> None:
        self._module = module
        self._turns = asyncio.Semaphore(count)
        self._idle: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._idle:
            await _end(self._idle.pop())

    async def do(self, job: Mapping[str, Any], seconds: float) -> Any:
        """The result of the job, which may take `seconds` of processor time; raises
        `BudgetExceededError`."""
        message = {"job": job, "seconds": seconds}
        line = await asyncio.to_thread(lambda: json.dumps(message).encode() + b"\n")
        async with self._turns:
            process = self._idle.pop() if self._idle else await self._start()
            try:
                async with asyncio.timeout(seconds / _LEAST_PROCESSOR_SHARE):
                    result = await _ask(process, line)
            except BaseException as error:
                await _end(process)
                if isinstance(error, TimeoutError | OSError | asyncio.IncompleteReadError):
                    raise BudgetExceededError from error
                raise
            self._idle.append(process)
        return await asyncio.to_thread(json.loads, result)

    async def _start(self) -> asyncio.subprocess.Process:
        # Nothing else of the environment: it contains keys, and anybody may have written the job.
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self._module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            limit=MAX_LINE_BYTES,
        )
        try:
            async with asyncio.timeout(_START_SECONDS):
                assert process.stdout is not None
                await process.stdout.readuntil(b"\n")
        except BaseException:
            await _end(process)
            raise
        return process


async def _ask(process: asyncio.subprocess.Process, line: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line)
    await process.stdin.drain()
    return await process.stdout.readuntil(b"\n")


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
