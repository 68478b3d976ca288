"""Selects the variant of a subject; the server and all SDKs use the same algorithm
(`sdk/conformance`)."""

import secrets
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

import mmh3

BASIS_POINTS = 10_000


def bucket_of(salt: str, subject: str) -> int:
    """Return the subject's bucket, 0 to 9,999: MurmurHash3 (x86, 32 bit, seed 0) of `salt:subject`
    in UTF-8, scaled without the bias of a modulo."""
    hashed = mmh3.hash(f"{salt}:{subject}".encode(), 0, signed=False)
    return (hashed * BASIS_POINTS) >> 32


def drawn_bucket() -> int:
    """Return a random bucket, for a fetch without a subject."""
    return secrets.randbelow(BASIS_POINTS)


def ends_of(weights: Iterable[int]) -> tuple[int, ...]:
    """Return the ends of the variants' consecutive ranges, in basis points."""
    return tuple(accumulate(weights))


def choice(ends: Sequence[int], bucket: int) -> int:
    """Return the index of the variant whose range contains `bucket`; a variant of weight 0 contains
    none."""
    return bisect_right(ends, bucket)
