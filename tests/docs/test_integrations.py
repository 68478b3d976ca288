"""The GitHub Action and the pre-commit hook, without GitHub and pre-commit."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from harness.walks import ROOT
from promptops_platform.cli import app

FOLDER = ROOT / "integrations"
ACTION: dict[str, Any] = yaml.safe_load((FOLDER / "github-action" / "action.yml").read_text())


def example(integration: str) -> dict[str, Any]:
    """The YAML that its README shows."""
    text = (FOLDER / integration / "README.md").read_text()
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return dict(yaml.safe_load(block))


@pytest.mark.parametrize(
    ("command", "exit_code", "passes", "arguments"),
    [
        ("check", 0, True, "push ours --dry-run"),
        ("check", 1, True, "push ours --dry-run"),
        ("check", 2, False, "push ours --dry-run"),
        ("check", 3, False, "push ours --dry-run"),
        ("push", 0, True, "push ours"),
        ("push", 3, False, "push ours"),
        ("publish", 0, True, "push ours --publish --note c0ffee"),
        ("remove", 0, False, ""),
    ],
)
def test_the_action_fails_for_mistakes_and_conflicts(
    tmp_path: Path, command: str, exit_code: int, passes: bool, arguments: str
) -> None:
    fake = tmp_path / "promptops"
    fake.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/arguments"\nexit {exit_code}\n')
    fake.chmod(0o755)
    done = subprocess.run(
        # As GitHub runs `shell: bash`.
        [
            "bash",
            "--noprofile",
            "--norc",
            "-eo",
            "pipefail",
            "-c",
            ACTION["runs"]["steps"][-1]["run"],
        ],
        env={
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "COMMAND": command,
            "FOLDER": "ours",
            "GITHUB_SHA": "c0ffee",
        },
        capture_output=True,
        check=False,
    )
    assert (done.returncode == 0) is passes
    called = tmp_path / "arguments"
    assert (called.read_text().strip() if called.exists() else "") == arguments


def test_the_readme_of_the_action_gives_the_inputs_that_it_has() -> None:
    (step,) = (
        step for step in example("github-action")["jobs"]["prompts"]["steps"] if "with" in step
    )
    required = {name for name, field in ACTION["inputs"].items() if field.get("required")}
    assert required <= step["with"].keys() <= ACTION["inputs"].keys()


def test_the_hook_calls_a_command_that_there_is() -> None:
    (repository,) = example("pre-commit")["repos"]
    (hook,) = repository["hooks"]
    program, command, folder = hook["entry"].split()
    assert program == "promptops"
    assert command in vars(typer.main.get_command(app))["commands"]
    assert re.match(hook["files"], f"{folder}/prompts/prod/greeting.prompt")
    # The command reads the whole folder.
    assert hook["pass_filenames"] is False
