"""What the workflows of GitHub name exists. They run nowhere else, so nothing else would tell."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(workflow.read_text())["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_steps_name_what_exists(workflow: Path) -> None:
    checked = 0
    for step in steps(workflow):
        commands = step.get("run", "")
        assert set(re.findall(r"^make ([a-z-]+)", commands, re.MULTILINE)) <= TARGETS
        for script in re.findall(r"^(\.[\w/.]+)$", commands, re.MULTILINE):
            assert (ROOT / script).stat().st_mode & 0o100, f"{script} is not executable"
        for pattern in step.get("with", {}).get("cache-dependency-path", "").split():
            assert list(ROOT.glob(pattern)), f"{pattern} matches nothing"
            checked += 1
    assert checked


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="needs actionlint")
def test_the_linter_of_workflows_finds_nothing() -> None:
    command = ["actionlint", *map(str, WORKFLOWS)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout
