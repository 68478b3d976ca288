"""How steps of all kinds are executed: retries, timeout, cache, and what follows a failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from promptops_flows.steps.field_schemas import FLAG, Schema, described, duration, integer, text
from promptops_flows.steps.fields import Fields

MAX_RETRIES = 10
MAX_TIMEOUT_SECONDS = 24 * 3600.0
MAX_CACHE_SECONDS = 30 * 24 * 3600.0
MAX_SLOTS = 1_000
MAX_KEY_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class StepPolicy:
    """`default` is the output of a failed step if the run continues. At most `slots` steps with the
    same `concurrency` key run at a time in a workspace."""

    retries: int = 0
    timeout_seconds: float | None = None
    continue_on_error: bool = False
    default: Any = ""
    cache_seconds: float = 0.0
    concurrency: str = ""
    slots: int = 1

    @staticmethod
    def fields() -> dict[str, Schema]:
        """The schemas of the fields that `parse` reads."""
        return {
            "retries": integer(0, MAX_RETRIES),
            "timeout": duration(MAX_TIMEOUT_SECONDS),
            "continue_on_error": described(
                FLAG, "If true, the run continues after a failure of the step."
            ),
            "default": {"description": "The output of a step that failed."},
            "cache": described(duration(MAX_CACHE_SECONDS), "For how long an output is reused."),
            "concurrency": described(text(MAX_KEY_CHARACTERS), "A key, or `key:3`."),
        }

    @classmethod
    def parse(cls, fields: Fields) -> Self:
        """Raises `DefinitionError`."""
        key, slots = _slots(fields)
        return cls(
            retries=fields.integer("retries", 0, MAX_RETRIES, default=0),
            timeout_seconds=fields.duration("timeout", MAX_TIMEOUT_SECONDS),
            continue_on_error=fields.flag("continue_on_error"),
            default=fields.value("default", ""),
            cache_seconds=fields.duration("cache", MAX_CACHE_SECONDS) or 0.0,
            concurrency=key,
            slots=slots,
        )


ORDINARY = StepPolicy()


def _slots(fields: Fields) -> tuple[str, int]:
    """Split `key` or `key:3`."""
    text = fields.text("concurrency", MAX_KEY_CHARACTERS)
    key, colon, number = text.rpartition(":")
    if not colon:
        return text, 1
    if not key or not number.isascii() or not number.isdigit():
        raise fields.error("concurrency", f"'{text}' can't be read, write a key, or key:3")
    if not 1 <= int(number) <= MAX_SLOTS:
        raise fields.error(
            "concurrency", f"allows {number} steps at a time, give 1 to {MAX_SLOTS:,}"
        )
    return key, int(number)
