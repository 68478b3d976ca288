"""Keep a run's secrets out of what others read: errors, states, parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

REDACTED = "[redacted]"
# Shorter ones would blank out ordinary words, and no vendor issues such keys.
_SHORTEST = 6


class Redactor:
    """Replaces secrets, also in their URL-encoded form."""

    def __init__(self, secrets: Iterable[str | None]) -> None:
        known = [secret for secret in secrets if secret and len(secret) >= _SHORTEST]
        forms = {*known, *(quote(secret, safe="", errors="replace") for secret in known)}
        # Longest first: a secret may be a part of another one.
        self._forms = sorted(forms, key=len, reverse=True)

    def within(self, value: Any) -> Any:
        """As a call, for every text in a JSON value."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, list):
            return [self.within(each) for each in value]
        if isinstance(value, dict):
            return {self(name): self.within(each) for name, each in value.items()}
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


def _begun(text: str, form: str) -> int:
    """How many characters at the end of the text are the beginning of the form."""
    longest = min(len(text), len(form) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(form[:size])), 0)
