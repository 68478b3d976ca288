"""What may be stored of a run's texts: all, none, or all except what looks like personal data.

The policy is data: it is sent to the engine with a run, so that Prefect and the logs store no more
of the run than the run log does. The patterns are RE2's, which takes time proportional to the text
for any pattern and text.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import re2

LONGEST_PATTERN = 1000
MOST_PATTERNS = 50

Check = Callable[[str], bool]
Rule = tuple[Any, str, Check | None]


def _luhn(text: str) -> bool:
    """Whether the last digit is the check digit of a payment card (ISO/IEC 7812-1, annex B)."""
    digits = [int(character) for character in text if character.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _iban(text: str) -> bool:
    """Whether the check digits are those of an IBAN (ISO 13616, by ISO/IEC 7064 MOD 97-10)."""
    start = next(at for at, character in enumerate(text) if character.isupper())
    code = text[start:].replace(" ", "")
    return int("".join(str(int(digit, 36)) for digit in code[4:] + code[:4])) % 97 == 1


# The beginning of a word; in JSON, a line break before it ends with a letter.
_START = r"(?:\b|\\[bfnrt])"

# By name, in the order of application.
KINDS: dict[str, tuple[str, Check | None]] = {
    "secret": (
        # In any case: a step may have changed the case.
        _START + r"(?i:sk|pk|rk|ghp|gho|ghu|ghs|ghr|glpat|xox[abprs]|hf|gsk|github_pat|npm|pypi)"
        r"[-_][A-Za-z0-9_-]{16,}|" + _START + r"(?:AKIA|ASIA)[0-9A-Z]{16}\b"
        r"|" + _START + r"AIza[0-9A-Za-z_-]{30,}"
        r"|" + _START + r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
        r"|" + _START + r"[Bb]earer +[A-Za-z0-9._~+/=-]{16,}",
        None,
    ),
    "email": (r"[\pL\pN._%+-]+@(?:[\pL\pN-]+\.)+\pL{2,}", None),
    "iban": (_START + r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", _iban),
    "card": (_START + r"\d(?:[ -]?\d){11,18}\b", _luhn),
    "phone": (
        r"(?:\+|" + _START + r"00)\d(?:[ ./()-]{0,3}\d){6,14}\b"
        r"|\(\d{3}\) ?\d{3}[ .-]\d{4}\b|" + _START + r"\d{3}[.-]\d{3}[.-]\d{4}\b",
        None,
    ),
    "ip": (
        _START + r"(?:\d{1,3}\.){3}\d{1,3}\b|" + _START + r"(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]"
        r"{1,4}\b|" + _START + r"(?:[0-9A-Fa-f]{1,4}:){1,6}:"
        r"(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,5})?",
        None,
    ),
}


@dataclass(frozen=True, slots=True)
class TextPolicy:
    """`kinds` are names of `KINDS`, `patterns` are the operator's, both validated by `checked`."""

    texts: Literal["full", "none"] = "full"
    kinds: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()

    @property
    def keeps_texts(self) -> bool:
        """Whether inputs and outputs are stored at all."""
        return self.texts == "full"

    @property
    def keeps_everything(self) -> bool:
        """Whether texts are stored unchanged."""
        return self.keeps_texts and not self.kinds and not self.patterns

    def redact(self, text: str) -> str:
        """Redact a text that is always stored, such as a name."""
        for rule, replacement, check in _rules(self.kinds, self.patterns):
            text = rule.sub(_replacing(replacement, check), text)
        return text

    def text(self, text: str) -> str | None:
        """What is stored of an input or an output; None if nothing is.

        In JSON text, the values are redacted as well: its escapes may hide where a word begins.
        """
        if not self.keeps_texts:
            return None
        redacted = self.redact(text)
        if self.keeps_everything or redacted.lstrip()[:1] not in ("{", "["):
            return redacted
        try:
            value = json.loads(redacted)
            clean = self._clean(value)
        except (ValueError, RecursionError):
            return redacted
        return redacted if clean == value else json.dumps(clean, ensure_ascii=False)

    def json(self, value: Any) -> Any:
        """Like `text`, for every text and number in a JSON value; None if nothing is stored."""
        if not self.keeps_texts:
            return None
        return value if self.keeps_everything else self._clean(value)

    def stored(self, text: str, summary: str | None) -> str:
        """What is stored of an error or a name. `summary` is the text without quotations; None if
        it has none."""
        return self.redact(text if self.keeps_texts or summary is None else summary)

    def label(self, text: str) -> str:
        """What is stored of a name that a vendor chose, such as a model's; if no texts are stored,
        only what can be a name."""
        if not self.keeps_texts and not _is_name(text):
            return ""
        return self.redact(text)

    def traceback(self, error: BaseException) -> str:
        """A traceback for a log: an exception's message may quote a text."""
        if self.keeps_texts:
            return self.redact("".join(traceback.format_exception(error)))
        return "\n".join(
            "".join(traceback.format_tb(cause.__traceback__)) + type(cause).__qualname__
            for cause in _causes(error)
        )

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {self.redact(name): self._clean(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._clean(item) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            # A card number may be sent as a JSON number.
            text = _digits(value)
            redacted = self.redact(text)
            return value if redacted == text else redacted
        return value


EVERYTHING = TextPolicy()
# The policy of the run whose flow is executed in this context.
current_policy: ContextVar[TextPolicy | None] = ContextVar("text_policy", default=None)


def check_kinds(kinds: tuple[str, ...]) -> None:
    """Raises ValueError for an unknown name."""
    unknown = sorted(set(kinds) - KINDS.keys())
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} is unknown; the names are {', '.join(KINDS)}, and your own patterns "
            "go into PROMPTOPS_RUN_REDACT_PATTERNS"
        )


def check_patterns(patterns: tuple[str, ...]) -> None:
    """Raises ValueError for invalid patterns."""
    if len(patterns) > MOST_PATTERNS:
        raise ValueError(f"has {len(patterns)} patterns; {MOST_PATTERNS} are allowed")
    for pattern in patterns:
        _check_pattern(pattern)


def _check_pattern(pattern: str) -> None:
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(
            f"{pattern[:40]!r}... is longer than {LONGEST_PATTERN} characters; shorten it"
        )
    try:
        compiled = _compiled(pattern)
    except re2.error as error:
        raise ValueError(
            f"{pattern!r} is not a pattern of RE2 ({_words(error)}); RE2 has no look-around and no "
            "back-references"
        ) from error
    if compiled.search("") is not None:
        raise ValueError(f"{pattern!r} matches an empty text; make it require a character")


@lru_cache(maxsize=32)
def _rules(kinds: tuple[str, ...], patterns: tuple[str, ...]) -> list[Rule]:
    own: list[Rule] = [(_compiled(pattern), "[redacted]", None) for pattern in patterns]
    return [
        (_compiled(pattern), f"[redacted:{name}]", check)
        for name, (pattern, check) in KINDS.items()
        if name in kinds
    ] + own


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def _replacing(replacement: str, check: Check | None) -> Callable[[Any], str]:
    def replace(match: Any) -> str:
        text: str = match.group()
        return replacement if check is None or check(text) else text

    return replace


def _digits(value: int | float) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    try:
        return str(value)
    except ValueError:
        return ""  # more digits than Python prints; no kind has that many


def _is_name(text: str) -> bool:
    """Whether it can be the name of a model: one word of ASCII."""
    return len(text) <= 100 and text.isascii() and text.isprintable() and " " not in text


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and its causes, the first cause first."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    yield from reversed(chain)


def _words(error: Exception) -> str:
    words = error.args[0] if error.args else error
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
