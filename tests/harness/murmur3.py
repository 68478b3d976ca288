"""MurmurHash3 x86 32 bit, written from its specification, to verify the platform's
implementation."""

WORD = 0xFFFFFFFF
FIRST, SECOND = 0xCC9E2D51, 0x1B873593


def murmur3(data: bytes) -> int:
    """The hash with seed 0, unsigned."""
    hashed, tail = 0, len(data) - len(data) % 4
    for start in range(0, tail, 4):
        hashed ^= _scrambled(int.from_bytes(data[start : start + 4], "little"))
        hashed = (_rotated(hashed, 13) * 5 + 0xE6546B64) & WORD
    if tail < len(data):
        hashed ^= _scrambled(int.from_bytes(data[tail:], "little"))
    hashed ^= len(data)
    hashed = (hashed ^ hashed >> 16) * 0x85EBCA6B & WORD
    hashed = (hashed ^ hashed >> 13) * 0xC2B2AE35 & WORD
    return hashed ^ hashed >> 16


def _scrambled(block: int) -> int:
    return _rotated(block * FIRST & WORD, 15) * SECOND & WORD


def _rotated(word: int, by: int) -> int:
    return (word << by | word >> (32 - by)) & WORD
