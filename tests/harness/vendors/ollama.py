"""The JSON of Ollama's API, as in its documentation."""

from __future__ import annotations

from typing import Any

TIMES = {
    "total_duration": 5191566416,
    "load_duration": 2154458,
    "prompt_eval_count": 26,
    "prompt_eval_duration": 383809000,
    "eval_count": 298,
    "eval_duration": 4799921000,
}


def chunk(content: str, **message: Any) -> dict[str, Any]:
    return {
        "model": "llama3.2",
        "created_at": "2023-08-04T08:52:19.385406455-07:00",
        "message": {"role": "assistant", "content": content, **message},
        "done": False,
    }


def last(content: str = "", *, reason: str = "stop", **message: Any) -> dict[str, Any]:
    return {**chunk(content, **message), "done_reason": reason, "done": True, **TIMES}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}}


STREAM = [chunk("Grüße, "), chunk("世界!"), last()]
