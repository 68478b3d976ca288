"""What servers of Chat Completions want back with an answer's turn, as it came: the reasoning of
the model, and signatures of it.

`reasoning_content` is DeepSeek's and Moonshot's, `reasoning` vLLM's and Groq's, `reasoning_details`
OpenRouter's (https://openrouter.ai/docs/use-cases/reasoning-tokens), and `extra_content` Google's
(https://ai.google.dev/gemini-api/docs/openai).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from promptops_providers.answers.json_values import object_at, objects_at, text_at

EXTRA = "extra_content"
_TEXTS = ("reasoning_content", "reasoning")
_DETAILS = "reasoning_details"
_GROWING = ("text", "summary")
# In a message's `vendor_data`.
_TURN, _CALLS = "turn", "calls"


@dataclass(slots=True)
class Reasoning:
    """What has come so far, whole or in pieces."""

    _texts: dict[str, str] = field(default_factory=dict)
    _details: list[dict[str, Any]] = field(default_factory=list)
    _extra: dict[str, Any] = field(default_factory=dict)

    def take(self, delta: Mapping[str, Any]) -> None:
        for name in _TEXTS:
            if piece := text_at(delta, name):
                self._texts[name] = self._texts.get(name, "") + piece
        for detail in objects_at(delta, _DETAILS):
            self._take_detail(detail)
        self._extra.update(object_at(delta, EXTRA))

    def vendor_data(self, call_extras: list[Mapping[str, Any]]) -> dict[str, Any]:
        """To be kept; `call_extras` are those of the calls, in their order."""
        turn: dict[str, Any] = dict(self._texts)
        if self._details:
            turn[_DETAILS] = self._details
        if self._extra:
            turn[EXTRA] = self._extra
        calls = [dict(extra) for extra in call_extras]
        return {
            **({_TURN: turn} if turn else {}),
            **({_CALLS: calls} if any(calls) else {}),
        }

    def _take_detail(self, detail: Mapping[str, Any]) -> None:
        """A piece of a stream has the index of the detail that it goes on with."""
        begun = self._begun(detail)
        if begun is None:
            self._details.append(dict(detail))
            return
        for name, value in detail.items():
            if name in _GROWING and isinstance(value, str):
                begun[name] = text_at(begun, name) + value
            elif value is not None:
                begun[name] = value

    def _begun(self, detail: Mapping[str, Any]) -> dict[str, Any] | None:
        index = detail.get("index")
        if not isinstance(index, int):
            return None
        return next(
            (
                begun
                for begun in self._details
                if begun.get("index") == index and begun.get("type") == detail.get("type")
            ),
            None,
        )


def add_to_turn(written: dict[str, Any], kept: Mapping[str, Any]) -> None:
    """Put what was kept of an answer back into its turn."""
    written.update(object_at(kept, _TURN))
    calls = written.get("tool_calls", [])
    for call, extra in zip(calls, objects_at(kept, _CALLS), strict=False):
        if extra:
            call[EXTRA] = extra
