"""`promptops doctor`."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from pydantic import ValidationError

from promptops_platform.commands.frame import setting_error
from promptops_platform.diagnosis.examination import examine
from promptops_platform.diagnosis.finding import Finding, problem
from promptops_platform.diagnosis.shown_settings import shown_settings
from promptops_platform.logs import configure_logs
from promptops_platform.settings import Settings

MARKS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """Check the installation and explain how to fix each problem.

    It changes nothing. The exit code is 1 if there is a problem.
    """
    # Problems are reported here, as sentences.
    configure_logs("error", "text")
    try:
        settings = Settings()
    except ValidationError as error:
        shown: Mapping[str, str] = {}
        findings = [
            problem("settings", setting_error(detail), "correct the variable; docs/settings.md")
            for detail in error.errors()
        ]
    else:
        shown, findings = shown_settings(settings), asyncio.run(examine(settings))
    healthy = all(finding.level != "problem" for finding in findings)
    typer.echo(_as_json(shown, findings, healthy=healthy) if as_json else _as_text(shown, findings))
    sys.exit(0 if healthy else 1)


def _as_json(shown: Mapping[str, str], findings: Sequence[Finding], *, healthy: bool) -> str:
    report = {
        "ok": healthy,
        "settings": shown,
        "findings": [asdict(finding) for finding in findings],
    }
    return json.dumps(report, indent=2)


def _as_text(shown: Mapping[str, str], findings: Sequence[Finding]) -> str:
    lines = [f"{name}={value}" for name, value in shown.items()]
    for finding in findings:
        lines.append(f"{MARKS[finding.level]}  {finding.check}: {finding.text}")
        if finding.remedy:
            lines.append(f"{'':9}→ {finding.remedy}")
    counts = [
        sum(finding.level == level for finding in findings) for level in ("problem", "warning")
    ]
    lines.append(f"{counts[0]} problems, {counts[1]} warnings")
    return "\n".join(lines)
