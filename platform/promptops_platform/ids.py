"""Identifiers."""

import secrets
import time


def new_id() -> str:
    """A UUID of version 7 (RFC 9562, section 5.7) as 32 hex digits: unique, and ordered by time.

    Ordered ids keep inserts at the end of the index.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76 | secrets.randbits(12) << 64
    value |= 0b10 << 62 | secrets.randbits(62)
    return f"{value:032x}"
