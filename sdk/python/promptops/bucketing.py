"""Assigns variants of a rollout to subjects, equally in the server and all SDKs.

Source of the hash: MurmurHash3 x86 32 bit by Austin Appleby, in the public domain.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

BASIS_POINTS = 10_000

_WORD = 0xFFFFFFFF
_FIRST, _SECOND = 0xCC9E2D51, 0x1B873593


def bucket_of(salt: str, subject: str) -> int:
    """Return the subject's bucket, 0 to 9,999.

    Raises ValueError for a text with a lone surrogate, which has no UTF-8.
    """
    return (murmur3(f"{salt}:{subject}".encode()) * BASIS_POINTS) >> 32


def random_bucket() -> int:
    """Return a random bucket, for a fetch without a subject."""
    return random.randrange(BASIS_POINTS)  # noqa: S311 (spreads users, guards no secret)


def ends_of(weights: Iterable[int]) -> tuple[int, ...]:
    """Return the end of each variant's range, in basis points; the ranges are consecutive."""
    return tuple(accumulate(weights))


def choice(ends: Sequence[int], bucket: int) -> int:
    """Return the index of the variant whose range contains `bucket`."""
    return bisect_right(ends, bucket)


def murmur3(data: bytes) -> int:
    """Return the hash with seed 0, unsigned."""
    hashed = 0
    aligned = len(data) & ~3
    for start in range(0, aligned, 4):
        hashed ^= _mixed(int.from_bytes(data[start : start + 4], "little"))
        hashed = ((hashed << 13 | hashed >> 19) * 5 + 0xE6546B64) & _WORD
    if aligned < len(data):
        hashed ^= _mixed(int.from_bytes(data[aligned:], "little"))
    hashed ^= len(data)
    hashed = ((hashed ^ hashed >> 16) * 0x85EBCA6B) & _WORD
    hashed = ((hashed ^ hashed >> 13) * 0xC2B2AE35) & _WORD
    return hashed ^ hashed >> 16


def _mixed(block: int) -> int:
    block = block * _FIRST & _WORD
    return (block << 15 | block >> 17) * _SECOND & _WORD
