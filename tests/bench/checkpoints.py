"""checkpoints: a durable run of three steps at the engine's socket, against one that is not.

The durable run waits for the answer that each step is stored, which is given at once: the
difference is the engine's part of a checkpoint. What the platform adds is measured by `durable`.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.figures import Figure, Result, listed
from bench.servers import Server, data_folder, running_platform
from bench.workflows import THREE_STEPS, run_request
from promptops_flows.definitions.workflow import parse_steps
from promptops_flows.protocol.engine_client import (
    EngineClient,
    RunFinished,
    RunRequest,
    StepCheckpoint,
)

RUNS = 40
TARGET = 1.15
STEPS = len(THREE_STEPS)


@dataclass
class Times:
    """Milliseconds of each run; one of each kind in turn."""

    plain: list[float] = field(default_factory=list)
    kept: list[float] = field(default_factory=list)

    def figure(self, name: str) -> Figure:
        """How much longer a run takes whose steps are kept."""
        return Figure(name, median(self.kept) / median(self.plain), "≤", TARGET)

    def raw(self, name: str) -> list[str]:
        plain, kept = median(self.plain), median(self.kept)
        return [
            f"{name}: p50 {plain:,.0f} ms without, {kept:,.0f} ms with; "
            f"one costs {(kept - plain) / STEPS:,.1f} ms",
            f"{name}, without: {listed(self.plain)}",
            f"{name}, with: {listed(self.kept)}",
        ]


async def measure() -> Result:
    engine = Times()
    with data_folder() as data:
        async with running_platform("up", data) as platform:
            await _first_run(platform)
            await at_the_engine(engine, data / "engine.sock", RUNS)
    return Result([engine.figure("checkpoints")], engine.raw("engine"))


async def _first_run(platform: Server) -> None:
    """Until it ends, Prefect starts."""
    await run_request(platform, "kept", THREE_STEPS)


async def at_the_engine(times: Times, socket: Path, runs: int) -> None:
    client = EngineClient(socket)
    for _ in range(runs):
        times.plain.append(await _engine_run(client, durable=False))
        times.kept.append(await _engine_run(client, durable=True))


async def _engine_run(client: EngineClient, *, durable: bool) -> float:
    """Milliseconds; every checkpoint counts as stored at once."""
    asked = RunRequest(
        run_id="0f3c5d7e9a3f2a1c",
        workspace="default",
        key="kept",
        name="kept",
        version="1",
        plan=parse_steps(THREE_STEPS),
        variables={"name": "Ada"},
        durable=durable,
    )
    started = time.perf_counter()
    run = await client.start(asked)
    try:
        await run.go()
        async for event in run.events():
            if durable and isinstance(event, StepCheckpoint):
                await run.checkpoint_stored(event.checkpoint.index)
            assert not isinstance(event, RunFinished) or event.status == "ok", event
    finally:
        await run.close()
    return (time.perf_counter() - started) * 1000
