"""Which variant a subject gets; the server and all SDKs agree on it (`sdk/conformance`)."""

import secrets
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

import mmh3

BASIS_POINTS = 10_000


def bucket_of(salt: str, subject: str) -> int:
    """The subject's place, 0 to 9,999: MurmurHash3 (x86, 32 bit, seed 0) of `salt:subject` in
    UTF-8, scaled without the bias that a modulo would have."""
    hashed = mmh3.hash(f"{salt}:{subject}".encode(), 0, signed=False)
    return (hashed * BASIS_POINTS) >> 32


def drawn_bucket() -> int:
    """A place at random, for a fetch without a subject."""
    return secrets.randbelow(BASIS_POINTS)


def ends_of(weights: Iterable[int]) -> tuple[int, ...]:
    """Where the range of each variant ends: they follow one another, in basis points."""
    return tuple(accumulate(weights))


def choice(ends: Sequence[int], bucket: int) -> int:
    """The index of the variant whose range holds `bucket`; one of weight 0 holds none."""
    return bisect_right(ends, bucket)
