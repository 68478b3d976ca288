"""The frame parser: complete messages from any split of the bytes, and clean errors from
anything else."""

from __future__ import annotations

import itertools
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sdk_server import frame
from promptops.frames import (
    CLOSE,
    PING,
    PONG,
    Binary,
    Close,
    FrameError,
    FrameParser,
    Ping,
    Pong,
    Received,
    Text,
    close_frame,
    control_frame,
)

LIMIT = 100_000


def parse(data: bytes, cuts: list[int] | None = None, limit: int = LIMIT) -> list[Received]:
    parser = FrameParser(limit)
    received: list[Received] = []
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts or []), len(data)]
    for start, end in itertools.pairwise(edges):
        parser.feed(data[start:end])
        while (item := parser.next()) is not None:
            received.append(item)
    return received


def failure(data: bytes, cuts: list[int] | None = None) -> int | None:
    """The code of the error that the bytes cause, if any."""
    try:
        parse(data, cuts, limit=1000)
    except FrameError as error:
        return error.code
    return None


short = st.binary(max_size=125)
codes = st.sampled_from([1000, 1001, 1011, 3000, 4999])
controls = (
    short.map(lambda payload: (Ping(payload), frame(PING, payload)))
    | short.map(lambda payload: (Pong(payload), frame(PONG, payload)))
    | codes.map(lambda code: (Close(code, "ciao"), frame(CLOSE, struct.pack("!H", code) + b"ciao")))
)


@st.composite
def messages(draw: st.DrawFn) -> list[tuple[Any, bytes]]:
    """A message in fragments with control frames between them, as pairs of the parsed frame and
    its bytes."""
    text = draw(st.text() | st.integers(0, 70_000).map("x".__mul__))
    binary = draw(st.booleans())
    payload = text.encode()
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=4)))
    edges = [0, *cuts, len(payload)]
    parts: list[tuple[Any, bytes]] = []
    for index, (start, end) in enumerate(itertools.pairwise(edges)):
        opcode = 0 if index else (2 if binary else 1)
        final = index == len(edges) - 2
        message = (Binary(payload) if binary else Text(text)) if final else None
        parts.append((message, frame(opcode, payload[start:end], final=final)))
        if not final:
            parts.extend(draw(st.lists(controls, max_size=1)))
    return parts


@given(st.lists(messages() | controls.map(lambda one: [one]), max_size=4), st.data())
def test_any_split_of_the_bytes_is_parsed(
    written: list[list[tuple[Any, bytes]]], data: st.DataObject
) -> None:
    parts = [part for message in written for part in message]
    stream = b"".join(encoded for _, encoded in parts)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    assert parse(stream, cuts) == [message for message, _ in parts if message is not None]


def test_byte_by_byte() -> None:
    stream = frame(1, "é😀".encode(), final=False) + frame(PING, b"p") + frame(0, b"!")
    assert parse(stream, list(range(len(stream)))) == [Ping(b"p"), Text("é😀!")]


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=5))
def test_random_bytes_end_in_messages_or_a_clean_error(data: bytes, cuts: list[int]) -> None:
    assert failure(data, cuts) in {None, 1002, 1007, 1009}


@given(
    st.lists(
        st.tuples(
            st.integers(0, 255),
            st.integers(0, 255),
            st.binary(max_size=8),
            st.binary(max_size=200),
        ),
        max_size=5,
    )
)
def test_random_heads_end_in_messages_or_a_clean_error(
    frames: list[tuple[int, int, bytes, bytes]],
) -> None:
    stream = b"".join(bytes([a, b]) + length + payload for a, b, length, payload in frames)
    assert failure(stream) in {None, 1002, 1007, 1009}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x80\0\0\0\0", 1002),  # masked
        (b"\xc1\x00", 1002),  # reserved bit, as of a compressed message
        (b"\x83\x00", 1002),  # unknown data opcode
        (b"\x8b\x00", 1002),  # unknown control opcode
        (b"\x09\x00", 1002),  # a ping in fragments
        (b"\x89\x7e\x00\x7e", 1002),  # a ping of 126 bytes
        (b"\x80\x00", 1002),  # continues nothing
        (b"\x01\x01a\x81\x01b", 1002),  # begins inside another
        (b"\x81\x7e\x00\x7d", 1002),  # 125 in two bytes
        (b"\x81\x7f" + (65535).to_bytes(8, "big"), 1002),  # 65535 in eight bytes
        (b"\x81\x7f" + (2**63).to_bytes(8, "big"), 1009),
        (b"\x81\x7f" + (2**63 - 1).to_bytes(8, "big"), 1009),
        (frame(1, b"x" * LIMIT + b"x")[:10], 1009),  # refused by its head alone
        (frame(1, b"x" * LIMIT, final=False) + frame(0, b"x")[:2], 1009),
        (frame(1, b"\xff"), 1007),
        (frame(1, b"\xed\xa0\x80"), 1007),  # a surrogate
        (frame(1, "é".encode()[:1]), 1007),  # cut within a character
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, struct.pack("!H", 1005)), 1002),
        (frame(CLOSE, struct.pack("!H", 999)), 1002),
        (frame(CLOSE, struct.pack("!H", 5000)), 1002),
        (frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
    ],
)
def test_what_a_server_may_not_send(data: bytes, code: int) -> None:
    with pytest.raises(FrameError) as caught:
        parse(data)
    assert caught.value.code == code


def test_a_character_may_be_cut_between_fragments() -> None:
    start, end = "é".encode()[:1], "é".encode()[1:]
    assert parse(frame(1, start, final=False) + frame(0, end)) == [Text("é")]


def test_the_limit_itself_is_allowed_and_applies_to_each_message() -> None:
    message = frame(1, b"x" * LIMIT)
    assert parse(message * 2) == [Text("x" * LIMIT)] * 2


def test_messages_before_an_error_are_not_lost() -> None:
    parser = FrameParser(LIMIT)
    parser.feed(frame(1, b"first") + b"\xff\xff")
    assert parser.next() == Text("first")
    with pytest.raises(FrameError):
        parser.next()


@given(st.binary(max_size=125))
def test_control_frames_are_masked_and_complete(payload: bytes) -> None:
    written = control_frame(PONG, payload)
    assert written[0] == 0x8A
    assert written[1] == 0x80 | len(payload)
    mask = written[2:6]
    assert bytes(b ^ mask[i % 4] for i, b in enumerate(written[6:])) == payload


def test_masks_are_not_repeated() -> None:
    assert len({control_frame(PING, b"")[2:6] for _ in range(100)}) > 90


def test_1005_is_never_sent() -> None:
    assert close_frame(1005)[1] == 0x80
    assert close_frame(1000)[1] == 0x82


def test_incomplete_frames_are_not_a_sign_of_life() -> None:
    parser = FrameParser(LIMIT)
    opened_at = parser.last_frame_at
    ping = frame(0x9, b"ping")
    for byte in ping[:-1]:
        parser.feed(bytes([byte]))
        assert parser.next() is None
    assert parser.last_frame_at == opened_at
    parser.feed(ping[-1:])
    assert parser.next() is not None
    assert parser.last_frame_at > opened_at
