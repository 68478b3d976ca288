import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_flows.wire import (
    Connection,
    Go,
    Message,
    Ping,
    Ready,
    Refused,
    RunFinished,
    RunRequest,
    Started,
    StepDelta,
    StepFinished,
    StepStarted,
    Unavailable,
    WireError,
    decode,
    encode,
)
from promptops_providers.protocol import SpentCall, Usage

# Lone surrogates included: they reach us as escapes in a client's JSON.
TEXT = st.text(st.characters(exclude_categories=[]) | st.sampled_from("\ud800\n\0"), max_size=20)
MAYBE = st.none() | TEXT
COUNT = st.integers(0, 2**40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.none() | st.dictionaries(TEXT, JSON, max_size=3)
USAGE = st.builds(Usage, COUNT, COUNT, st.booleans(), COUNT)
MESSAGES = st.one_of(
    st.builds(Ping),
    st.builds(Go),
    st.builds(Ready),
    st.builds(Unavailable, TEXT),
    st.builds(Refused, TEXT),
    st.builds(Started, TEXT, MAYBE),
    st.builds(StepStarted, COUNT, TEXT, TEXT, TEXT, MAYBE),
    st.builds(StepDelta, COUNT, TEXT),
    st.builds(
        StepFinished,
        index=COUNT,
        name=TEXT,
        type=TEXT,
        state=TEXT,
        started_at=TEXT,
        duration_ms=COUNT,
        attempts=COUNT,
        output=MAYBE,
        error=MAYBE,
        provider=MAYBE,
        model=MAYBE,
        provider_kind=MAYBE,
        notes=st.lists(TEXT, max_size=2).map(tuple),
        spent=st.lists(st.builds(SpentCall, TEXT, TEXT, TEXT, USAGE), max_size=2).map(tuple),
        usage=st.none() | st.builds(Usage, COUNT, COUNT, st.booleans(), COUNT),
        input=MAYBE,
        stop_reason=MAYBE,
    ),
    st.builds(RunFinished, st.sampled_from(["ok", "error"]), MAYBE, MAYBE, OBJECT),
    st.builds(
        RunRequest,
        run_id=TEXT,
        workspace=TEXT,
        key=TEXT,
        name=TEXT,
        version=TEXT,
        steps=st.lists(JSON, max_size=3),
        variables=st.dictionaries(TEXT, JSON, max_size=3),
        api_key=MAYBE,
        base_url=MAYBE,
        tags=st.lists(TEXT, max_size=3).map(tuple),
        source=TEXT,
        connections=st.lists(st.builds(Connection, TEXT, TEXT, MAYBE, MAYBE, TEXT), max_size=2).map(
            tuple
        ),
    ),
)


@given(MESSAGES)
def test_a_message_comes_back_as_it_was_and_is_one_line(message: Message) -> None:
    line = encode(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode(line) == message


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_a_wire_error(line: bytes) -> None:
    with pytest.raises(WireError):
        decode(line)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b'{"kind":"nope"}', "not a known kind"),
        (b'{"kind":["ping"]}', "not a known kind"),
        (b'{"kind":"ping","extra":1}', "Ping has no field 'extra'"),
        (b'{"kind":"started","flow_run_url":null}', "Started lacks a field"),
        (b'{"kind":"started","flow_run_id":7,"flow_run_url":null}', "Started.flow_run_id has a wr"),
        (b'{"kind":"run_finished","status":"fine"}', "RunFinished.status has a wrong type"),
        (b'{"kind":"run","connections":[{"api_key":"sk-secret"}]}', "Connection lacks a field"),
        (b'{"kind":"run","connections":["sk-secret"]}', "RunRequest.connections has a wrong"),
        (b"[" * 200_000, "not a line of JSON"),
    ],
)
def test_says_what_is_wrong_with_a_line(line: bytes, complaint: str) -> None:
    with pytest.raises(WireError, match=complaint):
        decode(line)


def test_a_wrong_field_does_not_quote_its_value() -> None:
    line = encode(RunRequest("r", "w", "k", "n", "1", [], {}, api_key="sk-secret-key"))
    broken = line.replace(b'"run_id":"r"', b'"run_id":5')
    with pytest.raises(WireError) as caught:
        decode(broken)
    assert "sk-secret" not in str(caught.value)


def test_no_key_is_in_the_repr() -> None:
    stored = (Connection("p", "openai", "sk-secret-2"), Connection("q", "ollama"))
    request = RunRequest(
        "r", "w", "k", "n", "1", [], {}, api_key="sk-secret-key", connections=stored
    )
    assert "secret" not in repr(request)
    assert request.secrets == ("sk-secret-key", "sk-secret-2")
    assert "api_key" in {field.name for field in fields(request)}
