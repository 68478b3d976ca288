"""Any data from the network ends in a result or in one of the SDK's own errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sdk_server import frame
from promptops import PromptOpsError
from promptops.bounded_json import parse_json
from promptops.disk_cache import _parse_saved
from promptops.frames import FrameError, FrameParser, Text
from promptops.handshake import parse_head
from promptops.http_response import ResponseReader
from promptops.options import ClientState, Options
from promptops.prompts import own, parse_prompt

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
FIELDS = (
    "key env version content kind messages config variables rollout salt variants weight name"
    " type epoch revision heartbeat_seconds"
)
names = st.sampled_from(FIELDS.split())
data = st.recursive(
    scalars | st.sampled_from(["hello", "resync", "heartbeat", "prompt.published", "chat"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
    max_leaves=20,
)
deep = st.tuples(st.sampled_from(["[", '{"a":', '[{"b":']), st.integers(1, 50_000)).map(
    lambda nested: nested[0] * nested[1]
)


@given(data)
def test_any_object_is_a_prompt_or_a_clean_error(value: Any) -> None:
    try:
        full_prompt = parse_prompt(value)
    except PromptOpsError:
        return
    assert isinstance(full_prompt.drawn().prompt("server", 1, 0.0)["content"], str)
    assert isinstance(full_prompt.of("subject").messages({}, strict=False), list)


@given(st.binary(max_size=300) | deep.map(str.encode) | data.map(json.dumps).map(str.encode))
def test_any_body_is_data_or_a_clean_error(body: bytes) -> None:
    try:
        value = parse_json(body)
    except PromptOpsError:
        return
    assert json.dumps(own(value)) == json.dumps(value)


@given(st.lists(data.map(json.dumps) | st.text() | deep, max_size=8))
def test_any_messages_leave_the_watch_working(messages: list[str]) -> None:
    state = ClientState(Options("http://h", "prod", "t", "", "", 1.0, 60.0, None, None), notify=len)
    sync_state = state.new_sync_state()
    sync_state.connected()
    for message in messages:
        sync_state.handle_message(message)
    sync_state.handle_message(
        '{"type": "hello", "epoch": "e", "revision": 7, "heartbeat_seconds": 10}'
    )
    sync_state.handle_message('{"type": "resync", "epoch": "e", "revision": 8}')
    assert sync_state.resume_parameters() == {"since": "8", "epoch": "e"}
    assert json.dumps({"type": "applied", "revision": 8}) in sync_state.take_reports()
    assert sync_state.silence == 25


@given(st.text(max_size=300) | st.builds('{{"sha256": "x", "prompt": {}}}'.format, st.text()))
def test_any_invalid_file_is_ignored(text: str) -> None:
    with pytest.raises((PromptOpsError, ValueError)):
        _parse_saved(text, "k")


@given(st.binary(max_size=400) | st.binary(max_size=200).map(b"HTTP/1.1 200 OK\r\n".__add__))
def test_any_head_is_read_or_a_clean_error(head: bytes) -> None:
    try:
        status, _ = parse_head(head + b"\r\n\r\n")
    except PromptOpsError:
        return
    assert 0 <= status <= 999


bodies = st.sampled_from(
    [
        "Transfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5",
        "Content-Length: -1",
        "Content-Length: 99999999999999999999",
        "Content-Length: 0x5",
        "Content-Length: ٣",
        "X: y",
    ]
)
chunks = st.lists(
    st.sampled_from([b"5\r\nhello\r\n", b"0\r\n", b"\r\n", b"ffffffffff\r\n", b"-1\r\n", b"zz\r\n"])
    | st.binary(max_size=10),
    max_size=6,
).map(b"".join)


@given(bodies, chunks, st.integers(1, 400))
def test_any_body_on_the_wire_is_read_or_a_clean_error(header: str, wire: bytes, step: int) -> None:
    response_bytes = f"HTTP/1.1 200 OK\r\n{header}\r\n\r\n".encode() + wire
    reader = ResponseReader()
    response = None
    try:
        for start in range(0, len(response_bytes), step):
            response = response or reader.feed(response_bytes[start : start + step])
        response = response or reader.feed(b"")
    except PromptOpsError:
        return
    assert response is not None
    assert len(response.body) <= len(wire)


pieces = st.builds(
    lambda opcode, payload, final: frame(opcode, payload, final=final),
    st.sampled_from([0, 1, 2, 8, 9, 10, 11]),
    st.binary(max_size=130) | st.text(max_size=60).map(str.encode),
    st.booleans(),
)


@given(st.lists(pieces | st.binary(max_size=6), max_size=12), st.integers(1, 9))
def test_frames_in_any_order_end_in_messages_or_a_clean_error(
    frames: list[bytes], step: int
) -> None:
    parser, stream = FrameParser(200), b"".join(frames)
    code = None
    try:
        for start in range(0, len(stream), step):
            parser.feed(stream[start : start + step])
            while (received := parser.next()) is not None:
                assert not isinstance(received, Text) or len(received.text.encode()) <= 200
    except FrameError as error:
        code = error.code
    assert code in {None, 1002, 1007, 1009}
