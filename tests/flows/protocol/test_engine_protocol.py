import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_flows.protocol.engine_protocol import (
    Began,
    Cancel,
    CheckpointStored,
    EngineProtocolError,
    Go,
    Message,
    Ping,
    Ready,
    Refused,
    RetryPressed,
    RetryRefused,
    RunFinished,
    Started,
    StepCheckpoint,
    StepDelta,
    StepFinished,
    StepStarted,
    Unavailable,
    Watch,
    Watching,
    decode,
    encode,
)
from promptops_flows.protocol.run_request import Checkpoint, RunRequest
from promptops_flows.protocol.suspension_messages import (
    ApprovalAsked,
    CancelPressed,
    EndSuspended,
    RunSuspended,
    SuspendedEnded,
)
from promptops_flows.steps.agent import RunAgent
from promptops_flows.steps.approval import Approval
from promptops_flows.steps.branch import Branch
from promptops_flows.steps.context import ItemCounts, StepOutput
from promptops_flows.steps.http import CallHttp
from promptops_flows.steps.http_tools import HttpTool
from promptops_flows.steps.map import MapItems
from promptops_flows.steps.model import CallModel
from promptops_flows.steps.models import Connection, ModelChoice
from promptops_flows.steps.plans import AgentPlan, WorkflowPlan
from promptops_flows.steps.policy import StepPolicy
from promptops_flows.steps.render import Render
from promptops_flows.steps.step import Gate, Step
from promptops_flows.steps.targets import DefinitionTarget
from promptops_flows.steps.transform import Transform
from promptops_flows.steps.workflow import RunWorkflow
from promptops_providers.protocol import (
    Completion,
    FilePart,
    ImagePart,
    SpentCall,
    TextPart,
    ToolCall,
    Usage,
)
from promptops_providers.protocol import Message as Turn

# Lone surrogates included: they arrive as escapes in a client's JSON.
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
EMPTY = WorkflowPlan(())
NAMES = st.lists(TEXT, max_size=2).map(tuple)
CHOICES = st.lists(st.builds(ModelChoice, TEXT, TEXT), max_size=2).map(tuple)
ACTIONS = st.one_of(
    st.builds(Render, TEXT),
    st.builds(CallModel, TEXT, TEXT, CHOICES),
    st.builds(Transform, st.sampled_from(["upper", "lower", "trim"])),
    st.builds(CallHttp, st.just("GET"), TEXT, st.just({}), JSON),
    st.builds(Branch, TEXT, NAMES, NAMES),
    st.builds(Approval, TEXT, NAMES, NAMES, OBJECT.map(lambda value: value or {}), st.floats(0, 9)),
    st.builds(MapItems, TEXT, TEXT, st.builds(Render, TEXT), COUNT),
    st.builds(
        RunWorkflow,
        st.builds(DefinitionTarget, TEXT, TEXT, TEXT),
        OBJECT,
        st.none() | st.just(WorkflowPlan((Step("inner", Render("x")),))),
    ),
    st.builds(
        RunAgent,
        st.builds(DefinitionTarget, TEXT),
        OBJECT,
        plan=st.just(AgentPlan((), is_chat=True, models=(ModelChoice("mock", ""),))),
    ),
)
STEPS = st.builds(
    Step,
    TEXT,
    ACTIONS,
    st.lists(COUNT, max_size=2).map(tuple),
    st.lists(st.builds(Gate, COUNT, TEXT), max_size=2).map(tuple),
    st.builds(StepPolicy, COUNT, st.none() | st.floats(0, 9), default=JSON),
)
PARTS = st.one_of(
    st.builds(TextPart, TEXT), st.builds(ImagePart, TEXT, TEXT), st.builds(FilePart, TEXT, TEXT)
)
TURNS = st.builds(
    Turn,
    st.sampled_from(["user", "assistant"]),
    TEXT,
    st.lists(st.builds(ToolCall, TEXT, TEXT, OBJECT.map(lambda value: value or {}), TEXT)).map(
        tuple
    ),
    parts=st.lists(PARTS, max_size=2).map(tuple),
)
PLANS = st.builds(WorkflowPlan, st.lists(STEPS, max_size=3).map(tuple)) | st.builds(
    AgentPlan,
    prompt=st.just(({"role": "user", "content": "Hi {{name}}"},)),
    is_chat=st.booleans(),
    models=CHOICES,
    tools=st.lists(
        st.builds(HttpTool, TEXT, TEXT, st.just({"type": "object"}), st.just("GET"), TEXT),
        max_size=2,
    ).map(tuple),
    max_steps=COUNT,
    output_schema=OBJECT,
    history=st.lists(TURNS, max_size=2).map(tuple),
    user_message=MAYBE,
)
SPENT = st.lists(st.builds(SpentCall, TEXT, TEXT, TEXT, USAGE), max_size=2).map(tuple)
CALLS = st.lists(
    st.builds(ToolCall, TEXT, TEXT, st.dictionaries(TEXT, JSON, max_size=2), TEXT), max_size=2
).map(tuple)
CHECKPOINTS = st.builds(
    Checkpoint,
    COUNT,
    TEXT,
    TEXT,
    st.builds(
        StepOutput,
        TEXT,
        MAYBE,
        MAYBE,
        st.none() | USAGE,
        MAYBE,
        NAMES,
        SPENT,
        JSON,
        side=TEXT,
        items=st.none() | st.builds(ItemCounts, COUNT, COUNT, COUNT),
        failed=st.booleans(),
    ),
    st.none()
    | st.builds(
        Completion,
        TEXT,
        TEXT,
        USAGE,
        st.sampled_from(["end", "tool_calls"]),
        TEXT,
        CALLS,
        st.dictionaries(TEXT, JSON, max_size=2),
        NAMES,
        SPENT,
    ),
)
STATES = st.sampled_from(["failed", "timed_out", "cancelled", "crashed"])
MESSAGES = st.one_of(
    st.builds(Ping),
    st.builds(Go),
    st.builds(CheckpointStored, COUNT),
    st.builds(Cancel, TEXT),
    st.builds(Watch),
    st.builds(Watching),
    st.builds(RetryPressed, TEXT),
    st.builds(RetryRefused, TEXT, TEXT),
    st.builds(CancelPressed, TEXT),
    st.builds(EndSuspended, TEXT, TEXT),
    st.builds(SuspendedEnded),
    st.builds(RunSuspended, st.lists(st.builds(ApprovalAsked, COUNT, TEXT, TEXT)).map(tuple)),
    st.builds(Began),
    st.builds(StepCheckpoint, CHECKPOINTS),
    st.builds(Ready),
    st.builds(Unavailable, TEXT),
    st.builds(Refused, TEXT),
    st.builds(Started, TEXT, MAYBE),
    st.builds(StepStarted, COUNT, TEXT, TEXT, TEXT, MAYBE),
    st.builds(StepDelta, COUNT, TEXT, COUNT),
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
        spent=SPENT,
        usage=st.none() | st.builds(Usage, COUNT, COUNT, st.booleans(), COUNT),
        input=MAYBE,
        stop_reason=MAYBE,
        reused=st.booleans(),
    ),
    st.builds(
        RunFinished,
        st.sampled_from(["ok", "error"]),
        MAYBE,
        MAYBE,
        OBJECT,
        state=STATES,
        cancelled_by=MAYBE,
    ),
    st.builds(
        RunRequest,
        run_id=TEXT,
        workspace=TEXT,
        key=TEXT,
        name=TEXT,
        version=TEXT,
        plan=PLANS,
        variables=st.dictionaries(TEXT, JSON, max_size=3),
        api_key=MAYBE,
        base_url=MAYBE,
        tags=st.lists(TEXT, max_size=3).map(tuple),
        source=TEXT,
        connections=st.lists(st.builds(Connection, TEXT, TEXT, MAYBE, MAYBE, TEXT), max_size=2).map(
            tuple
        ),
        durable=st.booleans(),
        checkpoints=st.lists(CHECKPOINTS, max_size=2).map(tuple),
        flow_run_id=MAYBE,
        page_url=MAYBE,
    ),
)


@given(MESSAGES)
def test_a_message_is_one_line_and_survives_a_round_trip(message: Message) -> None:
    line = encode(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode(line) == message


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_a_protocol_error(line: bytes) -> None:
    with pytest.raises(EngineProtocolError):
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
def test_the_error_describes_an_invalid_line(line: bytes, complaint: str) -> None:
    with pytest.raises(EngineProtocolError, match=complaint):
        decode(line)


def test_a_wrong_field_does_not_quote_its_value() -> None:
    line = encode(RunRequest("r", "w", "k", "n", "1", EMPTY, {}, api_key="sk-secret-key"))
    broken = line.replace(b'"run_id":"r"', b'"run_id":5')
    with pytest.raises(EngineProtocolError) as caught:
        decode(broken)
    assert "sk-secret" not in str(caught.value)


def test_no_key_is_in_the_repr() -> None:
    stored = (Connection("p", "openai", "sk-secret-2"), Connection("q", "ollama"))
    request = RunRequest(
        "r", "w", "k", "n", "1", EMPTY, {}, api_key="sk-secret-key", connections=stored
    )
    assert "secret" not in repr(request)
    assert request.secrets == ("sk-secret-key", "sk-secret-2")
    assert "api_key" in {field.name for field in fields(request)}


def test_a_successful_run_is_completed() -> None:
    assert RunFinished("ok", "x").state == "completed"
    assert RunFinished("error", error="x").state == "failed"
    assert RunFinished("error", error="x", state="timed_out").state == "timed_out"


def test_no_text_is_in_the_repr_of_a_checkpoint() -> None:
    usage = Usage(1, 1, estimated=False)
    completion = Completion("a private text", "m", usage, "end")
    checkpoint = Checkpoint(1, "call", "model", StepOutput("a private text"), completion)
    assert "private" not in repr(StepCheckpoint(checkpoint))
