"""Masks addresses for messages and logs."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"[^/?#]*//")


def masked_url(url: str) -> str:
    """Return the address without its user, password, query and fragment."""
    prefix, at, rest = url.rpartition("@")
    plain = re.split(r"[?#]", rest, maxsplit=1)[0]
    if not at:
        return plain
    scheme = _SCHEME.match(prefix)
    return f"{scheme.group() if scheme else ''}***@{plain}"
