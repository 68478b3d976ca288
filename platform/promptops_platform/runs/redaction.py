"""What is kept of the texts of a run: all, nothing, or all but what looks like personal data.

The patterns are RE2's, which takes time in proportion to the text, whatever pattern and text are.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, Self

import re2

from promptops_platform.errors import StartRefused
from promptops_providers.storable_texts import storable

# Longer texts are searched on a thread, so that other requests don't wait.
LONG_TEXT = 65_536
LONGEST_PATTERN = 1000
MOST_PATTERNS = 50

Check = Callable[[str], bool]


def _luhn(found: str) -> bool:
    """Whether the digits end with the check digit of a payment card (ISO/IEC 7812-1, annex B)."""
    digits = [int(each) for each in found if each.isdigit()]
    doubled = [sum(divmod(2 * each, 10)) for each in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _iban(found: str) -> bool:
    """Whether the check digits are those of an IBAN (ISO 13616, by ISO/IEC 7064 MOD 97-10)."""
    text = found.replace(" ", "")
    return int("".join(str(int(each, 36)) for each in text[4:] + text[:4])) % 97 == 1


# By name, in the order in which they are applied.
KINDS: dict[str, tuple[str, Check | None]] = {
    "secret": (
        r"\b(?:sk|pk|rk|ghp|gho|ghu|ghs|ghr|glpat|xox[abprs]|hf|gsk|github_pat|npm|pypi)[-_]"
        r"[A-Za-z0-9_-]{16,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{30,}"
        r"|\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
        r"|\b[Bb]earer +[A-Za-z0-9._~+/=-]{16,}",
        None,
    ),
    "email": (r"[\pL\pN._%+-]+@(?:[\pL\pN-]+\.)+\pL{2,}", None),
    "iban": (r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", _iban),
    "card": (r"\b\d(?:[ -]?\d){11,18}\b", _luhn),
    "phone": (
        r"(?:\+|\b00)\d(?:[ ./()-]{0,3}\d){6,14}\b"
        r"|\(\d{3}\) ?\d{3}[ .-]\d{4}\b|\b\d{3}[.-]\d{3}[.-]\d{4}\b",
        None,
    ),
    "ip": (
        r"\b(?:\d{1,3}\.){3}\d{1,3}\b|\b(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}\b"
        r"|\b(?:[0-9A-Fa-f]{1,4}:){1,6}:(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,5})?",
        None,
    ),
}


class TextPolicy:
    """Decides what of a text is stored."""

    def __init__(self, *, keep: bool, rules: Sequence[tuple[Any, str, Check | None]] = ()) -> None:
        self._keep = keep
        self._rules = rules

    @classmethod
    def of(cls, *, texts: str, kinds: str, patterns: str) -> Self:
        """As the settings say; raises StartRefused for what they can't mean."""
        return cls(keep=texts == "full", rules=[*_named(kinds), *_own(patterns)])

    async def text(self, value: str | None) -> str | None:
        """What is stored of a text that is a run's input or output."""
        return await self.message(value) if self._keep and value is not None else None

    async def inputs(self, value: dict[str, Any] | None) -> dict[str, Any] | None:
        """The same for a JSON object."""
        if not self._keep or value is None:
            return None
        # Variables may be megabytes, and their length isn't known before they were walked.
        return dict(await asyncio.to_thread(self._everywhere, value))

    async def message(self, value: str) -> str:
        """What is stored of a text that is kept in any case, such as an error."""
        if len(value) > LONG_TEXT:
            return await asyncio.to_thread(self._redacted, value)
        return self._redacted(value)

    def _everywhere(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._redacted(value)
        if isinstance(value, dict):
            return {self._redacted(name): self._everywhere(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._everywhere(each) for each in value]
        return value

    def _redacted(self, value: str) -> str:
        text = storable(value)
        for rule, instead, check in self._rules:
            text = rule.sub(_replacing(instead, check), text)
        return text


def _replacing(instead: str, check: Check | None) -> Callable[[Any], str]:
    def replace(match: Any) -> str:
        found: str = match.group()
        return instead if check is None or check(found) else found

    return replace


def _named(kinds: str) -> list[tuple[Any, str, Check | None]]:
    names = {each.strip().lower() for each in kinds.split(",")} - {""}
    unknown = sorted(names - KINDS.keys())
    if unknown:
        raise StartRefused(
            f"PROMPTOPS_RUN_REDACT: {unknown[0]!r} is not known; the names are "
            f"{', '.join(KINDS)}, and own patterns go into PROMPTOPS_RUN_REDACT_PATTERNS"
        )
    return [
        (_compiled(pattern), f"[redacted:{name}]", check)
        for name, (pattern, check) in KINDS.items()
        if name in names
    ]


def _own(patterns: str) -> list[tuple[Any, str, Check | None]]:
    if not patterns.strip():
        return []
    setting = "PROMPTOPS_RUN_REDACT_PATTERNS"
    try:
        listed = json.loads(patterns)
    except (ValueError, RecursionError) as error:
        raise StartRefused(f'{setting}: is not JSON ({error}); write a list, ["..."]') from error
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise StartRefused(f'{setting}: must be a JSON list of texts, ["..."]')
    if len(listed) > MOST_PATTERNS:
        raise StartRefused(f"{setting}: holds {len(listed)} patterns; {MOST_PATTERNS} are allowed")
    return [(_compiled_own(each, setting), "[redacted]", None) for each in listed]


def _compiled_own(pattern: str, setting: str) -> Any:
    if len(pattern) > LONGEST_PATTERN:
        raise StartRefused(
            f"{setting}: {pattern[:40]!r}... is longer than {LONGEST_PATTERN} characters; "
            "shorten it"
        )
    try:
        compiled = _compiled(pattern)
    except re2.error as error:
        raise StartRefused(
            f"{setting}: {pattern!r} is no pattern of RE2 ({_said(error)}); RE2 has no "
            "look-around and no back-references"
        ) from error
    if compiled.search("") is not None:
        raise StartRefused(f"{setting}: {pattern!r} fits an empty text; make it need a character")
    return compiled


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else error
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
