"""map: a step over 1,000 items, 16 at a time, against the time that an item may take."""

from statistics import median

from bench.figures import Figure, Result, listed
from bench.http_load import connections
from bench.servers import data_folder, running_platform
from bench.workflows import run_request, run_times

ROUNDS = 3
ITEMS = 1_000
WIDTH = 16
MOST_MS = 25.0
STEPS = [
    {"name": "list", "type": "transform", "op": "jinja", "expression": "{{ range(1000) | list }}"},
    {
        "name": "each",
        "type": "map",
        "width": WIDTH,
        "step": {"type": "model", "provider": "mock", "messages": [{"content": "Item {{item}}"}]},
    },
    {"name": "last", "type": "render", "template": "{{steps.each.output[999]}}"},
]


async def measure() -> Result:
    with data_folder() as data:
        async with running_platform("up", data) as platform:
            run = await run_request(platform, "map", STEPS)
            async with connections(platform.port, 1) as (connection,):
                times = await run_times(connection, run, ROUNDS)
    per_item = [milliseconds / ITEMS for milliseconds in times]
    return Result(
        [Figure(f"map, {ITEMS} items, {WIDTH} wide", median(per_item), "≤", MOST_MS, "ms/item")],
        [f"whole runs: {listed(times)} ms"],
    )
