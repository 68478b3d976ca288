"""The JSON form of an agent's conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from promptops_providers.protocol import Message, Role, ToolCall

MAX_MODEL_CALLS = 50


def read_message(raw: Mapping[str, Any]) -> Message:
    """Read a message that `written_message` has written."""
    return Message(
        cast("Role", raw["role"]),
        raw["content"],
        tuple(ToolCall(**call) for call in raw.get("tool_calls", ())),
        raw.get("tool_call_id", ""),
        raw.get("vendor_data", {}),
    )


def written_message(message: Message) -> dict[str, Any]:
    """A message as JSON, without empty fields."""
    written: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        written["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": dict(call.arguments)}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        written["tool_call_id"] = message.tool_call_id
    if message.vendor_data:
        written["vendor_data"] = dict(message.vendor_data)
    return written
