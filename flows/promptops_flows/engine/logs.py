"""The engine's log: one JSON object a line, on stderr."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

_LOGGER = "promptops.engine"


class JsonLines(logging.Formatter):
    """Fields given as `extra={"fields": {...}}` stand beside time, level, logger and event."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
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
    """Prefect brings its own handlers when it is loaded; send its warnings through ours instead.

    What it says of single runs is left out: the engine says that itself, free of secrets.
    """
    names = [name for name in logging.root.manager.loggerDict if name.startswith("prefect")]
    for name in ("prefect", *names):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    logging.getLogger("prefect").setLevel(logging.WARNING)
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
