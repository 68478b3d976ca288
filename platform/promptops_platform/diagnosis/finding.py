"""The result of one check."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`text` says what was found, `remedy` how to fix it; it is empty with ok."""

    check: str
    level: Level
    text: str
    remedy: str = ""


Findings = Sequence[Finding]
Look = Awaitable[Findings]


def ok(check: str, text: str) -> Finding:
    return Finding(check, "ok", text)


def warning(check: str, text: str, remedy: str) -> Finding:
    return Finding(check, "warning", text, remedy)


def problem(check: str, text: str, remedy: str) -> Finding:
    return Finding(check, "problem", text, remedy)
