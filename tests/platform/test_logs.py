"""What the platform's log may hold of the texts of runs."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys
import structlog
from promptops_platform.logs import configure_logs
from promptops_flows.telemetry.text_policy import TextPolicy

texts = TextPolicy(texts=sys.argv[2], kinds=tuple(sys.argv[3:]))
configure_logs("info", sys.argv[1], texts)
log = structlog.get_logger("promptops_platform.test")
log.info("request", path="/api/agents/1/conversations/ada@private.example")

def fail():
    try:
        raise KeyError("zebra of ada@private.example")
    except KeyError as error:
        raise ValueError("invalid: 'zebra of ada@private.example'") from error

try:
    fail()
except ValueError:
    log.exception("request_failed")

async def forget():
    async def forgotten():
        fail()
    task = asyncio.create_task(forgotten())
    await asyncio.sleep(0)
    del task
    await asyncio.sleep(0)

asyncio.run(forget())
"""


def logged(log_format: str, texts: str, *kinds: str) -> str:
    command = [sys.executable, "-c", PROGRAM, log_format, texts, *kinds]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_an_exceptions_words_are_logged_as_far_as_texts_may_be_stored(log_format: str) -> None:
    full = logged(log_format, "full")
    assert full.count("zebra") >= 4
    assert "/conversations/ada@private.example" in full

    redacted = logged(log_format, "full", "email")
    assert redacted.count("zebra of [redacted:email]") >= 4
    assert "ada@private.example" not in redacted

    none = logged(log_format, "none")
    assert "zebra" not in none
    for line in ("KeyError", "ValueError", "request_failed", "never retrieved", "in fail"):
        assert line in none, line


def test_lines_stay_one_json_object_each() -> None:
    for texts in ("full", "none"):
        lines = [json.loads(line) for line in logged("json", texts, "email").splitlines()]
        assert [line["event"] for line in lines[:2]] == ["request", "request_failed"]
        assert "ValueError" in lines[1]["exception"]
