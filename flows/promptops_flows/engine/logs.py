"""The engine's log: one JSON object per line, on stderr."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from promptops_flows.telemetry.text_policy import EVERYTHING, TextPolicy, current_policy

_LOGGER = "promptops.engine"
_ASYNCIO = "asyncio"
_NO_TEXTS = TextPolicy(texts="none")


class JsonLines(logging.Formatter):
    """Fields passed as `extra={"fields": {...}}` are added to time, level, logger and event."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        error = record.exc_info[1] if record.exc_info else None
        if record.name == _ASYNCIO:
            # This logger reports exceptions of any run, whose messages may contain private texts.
            line["event"] = record.getMessage().partition("\n")[0]
            if error is not None:
                line["exception"] = _NO_TEXTS.traceback(error)
        elif error is not None:
            line["exception"] = (current_policy.get() or EVERYTHING).traceback(error)
        return json.dumps(line, default=str)


def engine_logger() -> logging.Logger:
    return logging.getLogger(_LOGGER)


def log(level: int, event: str, **fields: object) -> None:
    engine_logger().log(level, event, extra={"fields": fields})


def set_up_logging() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    engine_logger().setLevel(logging.INFO)


def take_over_prefect_logging() -> None:
    """Replaces the handlers that Prefect installs when it is loaded, so that its warnings appear in
    this log.

    Its messages about single runs are dropped: the engine logs runs itself, without secrets.
    """
    names = [name for name in logging.root.manager.loggerDict if name.startswith("prefect")]
    for name in ("prefect", *names):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    logging.getLogger("prefect").setLevel(logging.WARNING)
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
