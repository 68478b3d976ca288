from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_providers.transport.sse import EventParser, LineSplitter, ServerSentEvent

LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)


def portions(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


@given(lines=st.lists(st.tuples(TEXT, LINE_ENDS)), rest=TEXT, cuts=st.lists(st.integers(0)))
def test_lines_do_not_depend_on_the_portions(
    lines: list[tuple[str, str]], rest: str, cuts: list[int]
) -> None:
    # An empty line after CR that ends in LF would be the one line end CRLF.
    parts = [f"x{text}{end}" for text, end in lines]
    data = ("".join(parts) + rest).encode()
    splitter = LineSplitter()
    split = [line for portion in portions(data, cuts) for line in splitter.feed(portion)]
    assert [line.decode() for line in split] == [f"x{text}" for text, _ in lines]
    assert splitter.rest.decode() == rest


def test_a_line_feed_belongs_to_the_carriage_return_right_before_it_only() -> None:
    splitter = LineSplitter()
    assert [splitter.feed(portion) for portion in (b"a\r", b"\n", b"b\rc", b"\nd\n")] == [
        [b"a"],
        [],
        [b"b"],
        [b"c", b"d"],
    ]


@given(
    events=st.lists(st.tuples(st.lists(TEXT, min_size=1, max_size=3), TEXT)),
    end=LINE_ENDS,
    comment=TEXT,
    cuts=st.lists(st.integers(0)),
)
def test_events_do_not_depend_on_the_portions(
    events: list[tuple[list[str], str]], end: str, comment: str, cuts: list[int]
) -> None:
    lines = []
    for data, name in events:
        lines += [f":{comment}", "retry: 10", f"event: {name}", "unknown"]
        lines += [f"data: {line}" for line in data] + [""]
    parser = EventParser()
    raw = "".join(line + end for line in lines).encode()
    parsed = [event for portion in portions(raw, cuts) for event in parser.feed(portion)]
    assert parsed == [ServerSentEvent("\n".join(data), name) for data, name in events]


def test_an_event_comes_with_the_last_byte_of_its_blank_line() -> None:
    for ending in (b"\n\n", b"\r\r", b"\r\n\r"):
        parser = EventParser()
        assert parser.feed(b"data: a" + ending[:-1]) == []
        assert parser.feed(ending[-1:]) == [ServerSentEvent("a")]


def test_an_event_without_its_blank_line_is_none() -> None:
    assert EventParser().feed(b"data: a\n") == []


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_what_the_end_of_a_stream_left_without_its_blank_line(ending: bytes) -> None:
    parser = EventParser()
    assert parser.feed(b"data: a\n\nevent: last\ndata: b" + ending) == [ServerSentEvent("a")]
    assert parser.unfinished() == ServerSentEvent("b", "last")
    assert EventParser().unfinished() is None


def test_a_byte_order_mark_and_missing_spaces_are_no_matter() -> None:
    events = EventParser().feed(b"\xef\xbb\xbfdata:a\ndata\ndata:  b\n\nevent: x\n\ndata: c\n\n")
    assert events == [ServerSentEvent("a\n\n b"), ServerSentEvent("c")]
