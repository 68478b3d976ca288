"""Identifiers."""

import os
import time
from random import Random

# Ids are not secret, and each request needs one, so the system is asked for randomness only once
# per process.
_random = Random(os.urandom(32))  # noqa: S311
os.register_at_fork(after_in_child=lambda: _random.seed(os.urandom(32)))


def new_id() -> str:
    """Return a UUID of version 7 (RFC 9562, section 5.7) as 32 hex digits: unique, and ordered by
    time.

    Ordered ids keep inserts at the end of the index.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | 0x7 << 76 | 0b10 << 62
    return f"{value | _random.getrandbits(12) << 64 | _random.getrandbits(62):032x}"
