"""What the engine's log may contain of the texts of runs."""

import json
import logging
import sys
from typing import Any

from promptops_flows.engine.logs import JsonLines
from promptops_flows.telemetry.text_policy import TextPolicy, current_policy


def line(logger: str, message: str) -> dict[str, Any]:
    try:
        raise ValueError("zebra of ada@private.example")
    except ValueError:
        record = logging.LogRecord(logger, logging.ERROR, "", 1, message, None, sys.exc_info())
    written: dict[str, Any] = json.loads(JsonLines().format(record))
    return written


def test_exceptions_of_a_run_are_logged_according_to_its_policy() -> None:
    assert "zebra of ada@private.example" in line("prefect.x", "failed")["exception"]
    token = current_policy.set(TextPolicy(kinds=("email",)))
    assert "zebra of [redacted:email]" in line("prefect.x", "failed")["exception"]
    current_policy.set(TextPolicy(texts="none"))
    shown = line("prefect.x", "failed")["exception"]
    current_policy.reset(token)
    assert "zebra" not in shown.replace('raise ValueError("zebra of ada@private.example")', "")
    assert shown.endswith("ValueError")


def test_asyncios_reports_of_exceptions_are_shortened() -> None:
    written = line("asyncio", "Task exception was never retrieved\nfuture: ValueError('zebra')")
    assert written["event"] == "Task exception was never retrieved"
    assert written["exception"].endswith("ValueError")
