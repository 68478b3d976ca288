"""The sizing table of docs/scaling.md: `python docs/scaling/model.py` prints it.

It multiplies the measured costs in `costs.json` (written by `tests/bench/costs.py`) with a load.
Costs are seconds of one processor core, so a load's seconds a second are the cores that it keeps
busy.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COSTS = Path(__file__).with_name("costs.json")

# The busiest minute of a day has so many times its average.
PEAK = 4
# How busy a core may be in that minute.
BUSY = 0.6
# Time that a run waits for models: it holds a place of a worker meanwhile.
RUN_SECONDS = 10
# The default of `promptops worker --concurrency`.
WORKER_PLACES = 16
# So many on one platform were measured.
WATCHERS_PER_PLATFORM = 10_000
SECONDS_OF_DAY = 86_400
GB = 1e9


@dataclass(frozen=True)
class Load:
    """What a day brings; `fetches` are those without a watch, a second on average."""

    runs_a_day: int
    watchers: int
    fetches: int
    publishes_an_hour: int


@dataclass(frozen=True)
class Size:
    """How many of each part; the disk is what a day of runs adds before it is pruned."""

    platforms: int
    workers: int
    prefect_servers: int
    postgres_cores: int
    platform_gb: float
    prefect_gb: float


LOADS = (
    Load(1_000, 100, 10, 10),
    Load(10_000, 1_000, 100, 30),
    Load(100_000, 10_000, 500, 60),
    Load(1_000_000, 100_000, 2_000, 120),
)


def size(load: Load, costs: dict[str, Any]) -> Size:
    """The parts that carry a load at its peak."""
    runs = PEAK * load.runs_a_day / SECONDS_OF_DAY
    publishes = load.publishes_an_hour / 3600
    fetches = PEAK * load.fetches

    def cores(process: str) -> float:
        return (
            runs * costs["run_seconds"][process]
            + publishes * costs["publish_seconds"][process]
            + fetches * costs["fetch_seconds"][process]
        ) / BUSY

    watching = load.watchers * (costs["watcher_share"] + publishes * costs["event_seconds"])
    return Size(
        platforms=_parts(
            cores("platform") + watching / BUSY, load.watchers / WATCHERS_PER_PLATFORM
        ),
        workers=_parts(cores("worker"), runs * RUN_SECONDS / WORKER_PLACES),
        prefect_servers=_parts(cores("prefect")),
        postgres_cores=_parts(cores("postgres")),
        platform_gb=load.runs_a_day * costs["run_bytes"]["platform"] / GB,
        prefect_gb=load.runs_a_day * costs["run_bytes"]["prefect"] / GB,
    )


def table() -> str:
    """Markdown: a row for each load."""
    costs = json.loads(COSTS.read_text())
    rows = [
        "| Runs a day | Watchers | Fetches/s | Publishes/h | Platforms | Workers "
        "| Prefect servers | PostgreSQL cores | Run log a day | Prefect a day |",
        "| ---: " * 10 + "|",
    ]
    for load in LOADS:
        parts = size(load, costs)
        numbers = (load.runs_a_day, load.watchers, load.fetches, load.publishes_an_hour)
        counts = (parts.platforms, parts.workers, parts.prefect_servers, parts.postgres_cores)
        disk = (_gigabytes(parts.platform_gb), _gigabytes(parts.prefect_gb))
        cells = [*(f"{number:,}" for number in (*numbers, *counts)), *disk]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _gigabytes(number: float) -> str:
    return f"{number:,.0f} GB" if number >= 10 else f"{number:.2g} GB"


def _parts(*needs: float) -> int:
    """As many as the largest need asks for, at least one."""
    return max(1, *(math.ceil(need) for need in needs))


if __name__ == "__main__":
    print(table(), end="")
