"""The JSON of OpenAI's API, as in its reference."""

from __future__ import annotations

from typing import Any

from harness.vendors.server import Answer

RATE_LIMIT_HEADERS = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": "1m12.5s",
    "x-ratelimit-remaining-tokens": "29000",
    "x-ratelimit-reset-tokens": "6ms",
}


def error(status: int, message: str, kind: str, code: str | None = None, **headers: str) -> Answer:
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return Answer.of_json(body, status, **headers)


def chat(
    content: str | None = "Grüße, 世界!",
    *,
    finish: str = "stop",
    tool_calls: list[dict[str, Any]] | None = None,
    refusal: str | None = None,
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": refusal}
    if tool_calls:
        message["tool_calls"] = tool_calls
    return {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion",
        "created": 1741569952,
        "model": "gpt-4.1-2025-04-14",
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": finish},
        ],
        "usage": {
            "prompt_tokens": 19,
            "completion_tokens": 10,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
        "service_tier": "default",
    }


def chat_call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def chat_chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-123",
        "object": "chat.completion.chunk",
        "created": 1694268190,
        "model": "gpt-4.1-2025-04-14",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": None,
    }


def chat_usage() -> dict[str, Any]:
    chunk = chat_chunk({})
    return {**chunk, "choices": [], "usage": chat()["usage"]}


CHAT_STREAM = [
    chat_chunk({"role": "assistant", "content": "", "refusal": None}),
    chat_chunk({"content": "Grüße, "}),
    chat_chunk({"content": "世界!"}),
    chat_chunk({}, "stop"),
    chat_usage(),
]


def _fragment(index: int, arguments: str, **more: Any) -> dict[str, Any]:
    name = {"name": more.pop("name")} if "name" in more else {}
    return {"index": index, **more, "function": {**name, "arguments": arguments}}


CHAT_TOOL_STREAM = [
    chat_chunk(
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [_fragment(0, "", id="call_a", type="function", name="weather")],
        }
    ),
    chat_chunk({"tool_calls": [_fragment(0, '{"city"')]}),
    chat_chunk({"tool_calls": [_fragment(0, ':"Köln"}')]}),
    chat_chunk({"tool_calls": [_fragment(1, "", id="call_b", type="function", name="clock")]}),
    chat_chunk({"tool_calls": [_fragment(1, "{}")]}),
    chat_chunk({}, "tool_calls"),
    chat_usage(),
]


def response(*output: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
        "object": "response",
        "created_at": 1741476542,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "gpt-6.2-sol-2026-11-01",
        "output": list(output),
        "parallel_tool_calls": True,
        "store": False,
        "usage": {
            "input_tokens": 36,
            "input_tokens_details": {"cached_tokens": 12},
            "output_tokens": 87,
            "output_tokens_details": {"reasoning_tokens": 64},
            "total_tokens": 123,
        },
        **fields,
    }


def output_text(text: str = "Grüße, 世界!") -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {
        "type": "message",
        "id": "msg_67ccd2bf17f0",
        "status": "completed",
        "role": "assistant",
        "content": content,
    }


def output_refusal(text: str) -> dict[str, Any]:
    return {**output_text(), "content": [{"type": "refusal", "refusal": text}]}


REASONING = {
    "type": "reasoning",
    "id": "rs_6820f383d7c0",
    "summary": [],
    "encrypted_content": "gAAAAABoISQ24OyVRYbk",
}
FUNCTION_CALL = {
    "type": "function_call",
    "id": "fc_67ca09c6bedc8190",
    "call_id": "call_unLAR8MvFNptuiZK6K6HCy5k",
    "name": "weather",
    "arguments": '{"city":"Köln"}',
    "status": "completed",
}


def _event(kind: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    return kind, {"type": kind, "sequence_number": 0, **fields}


def response_stream(last: dict[str, Any], *pieces: str, end: str = "completed") -> list[Any]:
    begun = {**last, "status": "in_progress", "output": [], "usage": None}
    return [
        _event("response.created", response=begun),
        _event("response.in_progress", response=begun),
        _event("response.output_item.added", output_index=0, item={**output_text(), "content": []}),
        *(
            _event(
                "response.output_text.delta",
                item_id="msg_67ccd2bf17f0",
                output_index=0,
                content_index=0,
                delta=piece,
            )
            for piece in pieces
        ),
        _event("response.output_text.done", text="".join(pieces)),
        _event(f"response.{end}", response=last),
    ]


def error_event(code: str, message: str) -> tuple[str, dict[str, Any]]:
    return _event("error", code=code, message=message, param=None)
