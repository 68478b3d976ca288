"""console_build: what the console adds to the first `make up`, and to one without changes."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.console import BUILT, PATH, ROOT
from bench.figures import Figure, Result, listed

# Installing asks the registry or npm's cache, as the first start does.
INSTALL = ("npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
BUILD = ("npm", "run", "--silent", "build")
REPEATS = 3
FIRST_SECONDS = 60
UNCHANGED_SECONDS = 1
NOT_COPIED = ("node_modules", "test-results", "playwright-report")


def missing() -> str | None:
    """Why it can't be measured here, if it can't."""
    if shutil.which("npm", path=PATH) is None:
        return "there is no npm"
    if not BUILT.exists():
        return "the console is not built: make bench does that"
    return None


async def measure() -> Result:
    installing, building, unchanged = [], [], []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            web = Path(folder) / "web"
            shutil.copytree(ROOT / "web", web, ignore=shutil.ignore_patterns(*NOT_COPIED))
            installing.append(_seconds(INSTALL, web))
            building.append(_seconds(BUILD, web))
            assert (Path(folder) / BUILT.relative_to(ROOT)).exists()
        # It fails when there is something to do.
        question = ("make", "--question", str(BUILT.relative_to(ROOT)))
        unchanged.append(_seconds(question, ROOT))
    first = [one + other for one, other in zip(installing, building, strict=True)]
    figures = [
        Figure("console, first start", median(first), "≤", FIRST_SECONDS, "s"),
        Figure("console, start without changes", median(unchanged), "≤", UNCHANGED_SECONDS, "s"),
    ]
    raw = [
        f"installing: {listed(installing, 1)} s, building: {listed(building, 1)} s",
        f"without changes: {listed(unchanged, 2)} s",
    ]
    return Result(figures, raw)


def _seconds(command: tuple[str, ...], folder: Path) -> float:
    started = time.perf_counter()
    env = {**os.environ, "PATH": PATH}
    subprocess.run(command, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
