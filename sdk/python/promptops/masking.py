"""Addresses as they may stand in messages and logs."""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(r"^([^/?#]*//)?.*@", re.DOTALL)


def masked_url(url: str) -> str:
    """The address without its user, password, query and fragment."""
    plain = re.split(r"[?#](?!.*@)", url, maxsplit=1)[0]
    return _CREDENTIALS.sub(r"\1***@", plain)
