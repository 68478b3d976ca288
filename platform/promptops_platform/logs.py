"""Structured logs: one event per line, with the request's id if there is one."""

import logging
import sys
from typing import Any, Literal

import structlog

from promptops_flows.telemetry.text_policy import EVERYTHING, TextPolicy


def configure_logs(
    level: str, log_format: Literal["auto", "json", "text"], texts: TextPolicy = EVERYTHING
) -> None:
    """Write our own logs and those of libraries to stderr, as JSON or, for a terminal, as text.
    `texts` determines which texts of runs they may contain."""
    as_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_texts(texts),
                *_rendering(texts, as_text=as_text),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel("WARNING")
    # Below WARNING, libraries would print SQL statements with their values, and tokens of
    # handshakes.
    logging.getLogger("promptops_platform").setLevel(level.upper())


def _without_texts(texts: TextPolicy) -> structlog.types.Processor:
    """Redact paths, which contain ids of conversations, and asyncio's messages about exceptions, of
    which only the first line is its own."""

    def process(_logger: object, _method: str, event: structlog.types.EventDict) -> Any:
        if isinstance(event.get("path"), str):
            event["path"] = texts.redact(event["path"])
        if not texts.keeps_everything and event.get("logger") == "asyncio":
            event["event"] = str(event["event"]).partition("\n")[0]
        return event

    return process


def _rendering(texts: TextPolicy, *, as_text: bool) -> list[structlog.types.Processor]:
    """Tracebacks have no local variables, which could contain tokens and passwords."""
    if not texts.keeps_everything:
        renderer = (
            structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer()
        )
        return [
            structlog.processors.ExceptionRenderer(lambda raised: texts.traceback(raised[1])),
            renderer,
        ]
    if as_text:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        structlog.processors.ExceptionRenderer(transformer),
        structlog.processors.JSONRenderer(),
    ]
