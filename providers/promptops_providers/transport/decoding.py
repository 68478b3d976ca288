"""Answers that come compressed: one layer of gzip, counted while it is unpacked.

A few kilobytes of gzip hold a megabyte, and those of gzip within gzip hold gigabytes. So a small
portion is unpacked at a time, and a body that compresses better than any honest one is refused.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator

import httpx

ACCEPT_ENCODING = "gzip"
# An answer may unpack to this many times its size, once it is longer than `_FREE_BYTES`.
MAX_RATIO = 100
_FREE_BYTES = 1024 * 1024
_PORTION_BYTES = 64 * 1024
# An honest body has one, or one for each time that the server flushed it.
_MAX_MEMBERS = 1_000
_GZIP = zlib.MAX_WBITS | 16
_NAMES = ("gzip", "x-gzip")


class UndecodableError(Exception):
    """The body can't be unpacked, or must not be; the text is a clause about "it", the answer."""


async def decoded(response: httpx.Response, limit: int) -> AsyncGenerator[bytes, None]:
    """The body, unpacked, portion by portion; iterate it inside `contextlib.aclosing`.

    Raises `UndecodableError`, also for a body that is longer than `limit` bytes.
    """
    unpacker = _Unpacker() if _is_compressed(response.headers) else None
    taken = released = 0
    async for raw in response.aiter_raw():
        taken += len(raw)
        _check_length(taken, limit)
        if unpacker is None:
            yield raw
            continue
        unpacker.feed(raw)
        while portion := unpacker.portion():
            released += len(portion)
            _check_length(released, limit)
            if released > _FREE_BYTES and released > MAX_RATIO * taken:
                raise UndecodableError(f"it unpacks to more than {MAX_RATIO} times its size")
            yield portion
            # Other tasks take their turn between the portions.
            await asyncio.sleep(0)
    if unpacker is not None:
        unpacker.finish()


def _check_length(count: int, limit: int) -> None:
    if count > limit:
        raise UndecodableError(f"it is longer than {limit:,} bytes")


def _is_compressed(headers: httpx.Headers) -> bool:
    listed = headers.get("content-encoding", "").lower().split(",")
    codings = [coding for coding in map(str.strip, listed) if coding not in ("", "identity")]
    if len(codings) > 1:
        raise UndecodableError(
            f"it is compressed {len(codings)} times over, and only one layer is read"
        )
    if codings and codings[0] not in _NAMES:
        raise UndecodableError(f"it is compressed as {codings[0][:20]!r}, which was not asked for")
    return bool(codings)


class _Unpacker:
    """Unpacks gzip, also of several members."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._members = 1
        self._waiting = b""
        self._begun = False

    def feed(self, raw: bytes) -> None:
        self._waiting += raw
        self._begun = True

    def portion(self) -> bytes:
        """More of what was fed; empty once all of it is unpacked."""
        while True:
            try:
                portion = self._member.decompress(self._waiting, _PORTION_BYTES)
            except zlib.error as error:
                raise UndecodableError("its gzip is damaged") from error
            if not self._member.eof:
                self._waiting = self._member.unconsumed_tail
                return portion
            # Zeros may pad a member.
            self._waiting = self._member.unused_data.lstrip(b"\0")
            if self._waiting:
                self._begin_member()
            if portion or not self._waiting:
                return portion

    def _begin_member(self) -> None:
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise UndecodableError(f"its gzip has more than {_MAX_MEMBERS:,} members")
        self._member = zlib.decompressobj(_GZIP)

    def finish(self) -> None:
        """The body has ended."""
        if self._begun and not self._member.eof:
            raise UndecodableError("its gzip breaks off")
