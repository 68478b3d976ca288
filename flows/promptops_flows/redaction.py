"""Keep a run's secrets out of what others read: errors, states, parameters."""

from __future__ import annotations

from collections.abc import Iterable
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

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, REDACTED)
        return text
