"""Ids of tool calls, as a vendor takes them back."""

from __future__ import annotations

import hashlib


def fitting_id(own: str, length: int | None) -> str:
    """The id where it has that many letters and digits, else one that is made of it: a call and its
    result get the same."""
    if length is None or (len(own) == length and own.isascii() and own.isalnum()):
        return own
    return hashlib.sha256(own.encode(errors="surrogatepass")).hexdigest()[:length]
