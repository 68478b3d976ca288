"""What vendors' tool calls have in common: arguments as text, and ids that may be missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from promptops_providers.protocol import ToolCall
from promptops_providers.wire import Wire


@dataclass(slots=True)
class RawCall:
    """A call as it came. `arguments` should be JSON text, or the object where a vendor sends
    that."""

    id: str = ""
    name: str = ""
    arguments: Any = ""


def read_calls(wire: Wire, raw_calls: Iterable[RawCall]) -> tuple[ToolCall, ...]:
    """Raises `MalformedAnswerError` for a call without name, or whose arguments are no object."""
    calls: dict[str, ToolCall] = {}
    for number, raw in enumerate(raw_calls, 1):
        if not raw.name:
            raise wire.malformed("a tool call has no name")
        own = raw.id if raw.id and raw.id not in calls else f"call_{number}"
        calls[own] = ToolCall(own, raw.name, _arguments(wire, raw))
    return tuple(calls.values())


def _arguments(wire: Wire, raw: RawCall) -> Mapping[str, Any]:
    if isinstance(raw.arguments, str):
        return wire.json_object(raw.arguments) if raw.arguments.strip() else {}
    if not isinstance(raw.arguments, Mapping):
        raise wire.malformed("a tool call has no object of arguments")
    return raw.arguments
