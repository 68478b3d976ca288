"""The benchmarks: `run.py [--strict] [fetch] [run] [checkpoints] [run_postgres] [durable] [fan_out]
[map] [isolation] [memory] [start] [registry] [audit_page] [runs] [mixed] [edits] [fairness]
[gateway] [unchanged] [delivery] [idle] [render] [prefect_growth] [console_list] [console_row]
[console_build] [trigger_latency]
[schedule_latency] [prefect_servers]`.

Each measures its subject and its baseline in turn within one run, because figures of a shared
machine compare only then.
"""

import argparse
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "sdk" / "python"))

from bench import (
    audit_page,
    checkpoints,
    console,
    console_build,
    delivery,
    durable,
    edits,
    fairness,
    fan_out,
    fetch_rate,
    gateway,
    isolation,
    map_items,
    memory,
    mixed,
    prefect_growth,
    prefect_servers,
    registry,
    run_log,
    run_postgres,
    run_time,
    schedules,
    sdk_render,
    start_up,
    triggers,
)
from bench.figures import Result

BENCHMARKS: dict[str, Callable[[], Coroutine[Any, Any, Result]]] = {
    "start": start_up.measure,
    "fetch": fetch_rate.measure,
    "run": run_time.measure,
    "checkpoints": checkpoints.measure,
    "run_postgres": run_postgres.measure,
    "durable": durable.measure,
    "fan_out": fan_out.measure,
    "map": map_items.measure,
    "isolation": isolation.measure,
    "memory": memory.measure,
    "registry": registry.measure,
    "audit_page": audit_page.measure,
    "runs": run_log.measure,
    "mixed": mixed.measure,
    "edits": edits.measure,
    "fairness": fairness.measure,
    "prefect_growth": prefect_growth.measure,
    "trigger_latency": triggers.measure,
    "schedule_latency": schedules.measure,
    "prefect_servers": prefect_servers.measure,
    "gateway": gateway.measure,
    "unchanged": fetch_rate.unchanged,
    "delivery": delivery.delivery,
    "idle": delivery.idle,
    "render": sdk_render.measure,
    "console_list": console.measure_list,
    "console_row": console.measure_row,
    "console_build": console_build.measure,
}
# Why one can't be measured here, for those that need what is not always installed.
MISSING: dict[str, Callable[[], str | None]] = {
    "render": sdk_render.missing,
    "console_list": console.missing,
    "console_row": console.missing,
    "console_build": console_build.missing,
    "prefect_servers": prefect_servers.missing,
}


def main() -> int:
    arguments = argparse.ArgumentParser(description="Benchmarks, each with its target.")
    arguments.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME")
    arguments.add_argument("--strict", action="store_true", help="fail when a target is missed")
    asked = arguments.parse_args()
    held = [_report(name) for name in asked.names or BENCHMARKS]
    return 1 if asked.strict and not all(held) else 0


def _report(name: str) -> bool:
    missing = MISSING[name]() if name in MISSING else None
    if missing is not None:
        print(f"{name}: skipped, {missing}")
        return True
    result = uvloop.run(BENCHMARKS[name]())
    for figure in result.figures:
        print(figure.line())
    for line in result.raw:
        print(f"  {line}")
    sys.stdout.flush()
    return all(figure.held for figure in result.figures)


if __name__ == "__main__":
    sys.exit(main())
