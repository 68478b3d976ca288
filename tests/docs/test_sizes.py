"""The sizing table of docs/scaling.md is what its model prints."""

import json
import runpy
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
MODEL = runpy.run_path(str(DOCS / "scaling" / "model.py"))
COSTS: dict[str, Any] = json.loads((DOCS / "scaling" / "costs.json").read_text())


def test_the_table_is_the_models() -> None:
    assert MODEL["table"]() in (DOCS / "scaling.md").read_text()


def test_each_need_adds_parts() -> None:
    size, load = MODEL["size"], MODEL["Load"]
    nothing = size(load(0, 0, 0, 0), COSTS)
    assert (nothing.platforms, nothing.workers, nothing.prefect_servers) == (1, 1, 1)
    # 864,000 runs a day are 40 a second at the peak, and hold 400 places for 10 seconds each.
    assert size(load(864_000, 0, 0, 0), COSTS).workers >= 400 / 16
    assert size(load(0, 100_000, 0, 0), COSTS).platforms >= 10
    dear = {**COSTS, "run_seconds": dict.fromkeys(COSTS["run_seconds"], 0.3)}
    parts = size(load(864_000, 0, 0, 0), dear)
    assert (parts.platforms, parts.prefect_servers, parts.postgres_cores) == (20, 20, 20)
