"""A network with faults between clients and a platform."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from harness.tcp_gate import TcpGate, copy

# The faults of a connection, most often none. `stalled`: it stays open, and no more data arrives.
# Clients detect that by missing heartbeats, after half a minute.
FAULTS = ("none", "none", "delayed", "cut", "truncated")
FAULTS_THAT_TAKE_LONG = (*FAULTS, "stalled")
LONGEST_DELAY = 0.3
# A fault occurs after up to 2 to the power of this many bytes, most often after few.
MOST_BYTES_LOG2 = 15.0


class BadNetwork(TcpGate):
    """Forwards each connection to the next of `targets`, which may change, with a random fault.
    There are no faults until `faults` is set."""

    def __init__(self, targets: Sequence[int], seed: int) -> None:
        super().__init__(targets[0])
        self.targets = list(targets)
        self.faults: Sequence[str] = ()
        self.struck: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._turns = 0

    def target(self) -> int:
        self._turns += 1
        return self.targets[self._turns % len(self.targets)]

    async def answer(self, far: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        fault = self._random.choice(self.faults) if self.faults else "none"
        if fault == "none":
            await copy(far, near)
            return
        left = int(2 ** self._random.uniform(0, MOST_BYTES_LOG2))
        with suppress(OSError):
            while data := await far.read(65_536):
                if not self.faults:
                    near.write(data)
                elif fault == "delayed":
                    self.struck[fault] += 1
                    await asyncio.sleep(self._random.uniform(0, LONGEST_DELAY))
                    near.write(data)
                elif len(data) >= left:
                    await self._strike(fault, data[:left], far, near)
                    return
                else:
                    left -= len(data)
                    near.write(data)
                await near.drain()
        near.close()

    async def _strike(
        self, fault: str, last: bytes, far: asyncio.StreamReader, near: asyncio.StreamWriter
    ) -> None:
        self.struck[fault] += 1
        if fault == "cut":
            near.transport.abort()
            return
        near.write(last)
        await near.drain()
        if fault == "stalled":
            while await far.read(65_536):
                pass
        near.close()


@asynccontextmanager
async def bad_network(targets: Sequence[int], *, seed: int = 0) -> AsyncIterator[BadNetwork]:
    network = BadNetwork(targets, seed)
    await network.open()
    try:
        yield network
    finally:
        await network.shut()
