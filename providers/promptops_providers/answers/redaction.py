"""Keep secrets out of what others read: answers, errors, states, parameters."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
# Shorter ones would blank out ordinary words, and no vendor issues such keys.
_SHORTEST = 6
_ESCAPED_BYTE = re.compile("%[0-9A-F]{2}")
# JSON writers may escape these too, for use within HTML or a script.
_ALSO_ESCAPED = re.compile("[\"'&+<>`/]")


class Redactor:
    """Replaces secrets, also where they stand URL-encoded, escaped in JSON or HTML, in hexadecimal
    digits, or in base64, there also as a part of a longer text."""

    def __init__(self, secrets: Iterable[str | None]) -> None:
        usable = {secret for secret in secrets if secret and len(secret) >= _SHORTEST}
        forms = {form for secret in usable for form in _forms(secret) if len(form) >= _SHORTEST}
        # Longest first: a secret may be a part of another one.
        self._forms = sorted(forms, key=len, reverse=True)

    def within(self, value: Any) -> Any:
        """As a call, for every text in a JSON value."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, list):
            return [self.within(item) for item in value]
        if isinstance(value, dict):
            return {self(name): self.within(item) for name, item in value.items()}
        return value

    def split(self, text: str) -> tuple[str, str]:
        """Of a text that goes on: what can be shown, redacted, and the end that may be the
        beginning of a secret."""
        text = self(text)
        held = max((_begun(text, form) for form in self._forms), default=0)
        return text[: len(text) - held], text[len(text) - held :]

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, REDACTED)
        return text


def _forms(secret: str) -> Iterator[str]:
    yield secret
    raw = secret.encode("utf-8", "replace")
    for encoded in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield encoded
        yield _ESCAPED_BYTE.sub(lambda match: match[0].lower(), encoded)
    yield from _json_forms(secret)
    yield html.escape(secret)
    yield from (raw.hex(), raw.hex().upper())
    yield from _base64_forms(raw)


def _json_forms(secret: str) -> Iterator[str]:
    plain = json.dumps(secret, ensure_ascii=False)[1:-1]
    yield from (plain, json.dumps(secret)[1:-1], plain.replace("/", "\\/"))
    escaped = secret.replace("\\", "\\\\")
    yield _ALSO_ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped)
    yield _ALSO_ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04X}", escaped)


def _base64_forms(raw: bytes) -> Iterator[str]:
    """What of the base64 of a longer text depends on the secret alone, wherever it begins."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw).decode()
        first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        yield encoded[first:last]
        yield encoded[first:last].translate(str.maketrans("+/", "-_"))


def _begun(text: str, form: str) -> int:
    """How many characters at the end of the text are the beginning of the form."""
    longest = min(len(text), len(form) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(form[:size])), 0)
