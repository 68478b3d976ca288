"""The JSON of the Messages API, as in its documentation and its client's test data."""

from __future__ import annotations

from typing import Any

from harness.vendors.server import Answer

SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds"
USAGE = {
    "input_tokens": 21,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 2000,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 12,
    "service_tier": "standard",
}
THINKING = {"type": "thinking", "thinking": "", "signature": SIGNATURE}


def error(status: int, kind: str, message: str, **headers: str) -> Answer:
    body = {
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy",
    }
    return Answer.of_json(body, status, **headers)


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value, "citations": None}


def call(call_id: str, name: str, arguments: Any) -> dict[str, Any]:
    return {
        "type": "tool_use",
        "id": call_id,
        "name": name,
        "input": arguments,
        "caller": {"type": "direct"},
    }


def message(*content: Any, stop: str | None = "end_turn", **more: Any) -> dict[str, Any]:
    return {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": list(content or (text("Grüße, 世界!"),)),
        "stop_reason": stop,
        "stop_sequence": None,
        "stop_details": None,
        "usage": USAGE,
        **more,
    }


REFUSAL = message(
    stop="refusal",
    content=[],
    stop_details={
        "type": "refusal",
        "category": "cyber",
        "explanation": "This request was declined because it could enable cyber harm.",
    },
)


def _event(kind: str, **members: Any) -> tuple[str, dict[str, Any]]:
    return kind, {"type": kind, **members}


def _delta(index: int, kind: str, **members: str) -> tuple[str, dict[str, Any]]:
    return _event("content_block_delta", index=index, delta={"type": kind, **members})


def begin() -> tuple[str, dict[str, Any]]:
    started = message(stop=None, content=[], usage={**USAGE, "output_tokens": 1})
    return _event("message_start", message=started)


def end(stop: str, **details: Any) -> list[tuple[str, dict[str, Any]]]:
    delta = {"stop_reason": stop, "stop_sequence": None, **details}
    return [
        _event("message_delta", delta=delta, usage={"output_tokens": 12, "input_tokens": None}),
        _event("message_stop"),
    ]


def text_block(index: int, *pieces: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        _event("content_block_start", index=index, content_block={"type": "text", "text": ""}),
        *[_delta(index, "text_delta", text=piece) for piece in pieces],
        _event("content_block_stop", index=index),
    ]


def call_block(
    index: int, call_id: str, name: str, *pieces: str
) -> list[tuple[str, dict[str, Any]]]:
    return [
        _event("content_block_start", index=index, content_block=call(call_id, name, {})),
        *[_delta(index, "input_json_delta", partial_json=piece) for piece in pieces],
        _event("content_block_stop", index=index),
    ]


def thinking_block(index: int, *pieces: str) -> list[tuple[str, dict[str, Any]]]:
    begun = {"type": "thinking", "thinking": "", "signature": ""}
    return [
        _event("content_block_start", index=index, content_block=begun),
        *[_delta(index, "thinking_delta", thinking=piece) for piece in pieces],
        _delta(index, "signature_delta", signature=SIGNATURE),
        _event("content_block_stop", index=index),
    ]


STREAM = [
    begin(),
    _event("ping"),
    *text_block(0, "Grüße, ", "世界!"),
    _event("an_event_of_tomorrow"),
    *end("end_turn"),
]
TOOL_STREAM = [
    begin(),
    *thinking_block(0, "Köln, ", "and the time"),
    *text_block(1, "I look."),
    *call_block(2, "toolu_01A", "weather", "", '{"ci', 'ty": "K', 'öln"}'),
    *call_block(3, "toolu_01B", "clock"),
    *end("tool_use"),
]
TOOL_MESSAGE = message(
    {"type": "thinking", "thinking": "Köln, and the time", "signature": SIGNATURE},
    {"type": "text", "text": "I look."},
    call("toolu_01A", "weather", {"city": "Köln"}),
    call("toolu_01B", "clock", {}),
    stop="tool_use",
)
