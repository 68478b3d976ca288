"""Identifiers."""

import os
import time


def new_id() -> str:
    """A UUID of version 7 (RFC 9562, section 5.7) as 32 hex digits: unique, and ordered by time.

    Ordered ids keep inserts at the end of the index.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0b11 << 62) | 0b10 << 62
    return f"{value:032x}"
