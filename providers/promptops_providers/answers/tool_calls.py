"""What vendors' tool calls have in common: arguments as text, and ids that may be missing."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

from promptops_providers.errors import MalformedAnswerError
from promptops_providers.protocol import StopReason, ToolCall
from promptops_providers.transport.vendor_http import VendorHttp

_CUT = (
    "the arguments of this call broke off, because the answer reached its limit of tokens; call "
    "the tool again with shorter arguments, or with one call at a time"
)


@dataclass(slots=True)
class RawCall:
    """A call as it came. `arguments` should be JSON text, or the object where a vendor sends that;
    `extra` is what the vendor wants back with it."""

    id: str = ""
    name: str = ""
    arguments: Any = ""
    extra: dict[str, Any] = field(default_factory=dict)


def read_calls(
    wire: VendorHttp, raw_calls: Iterable[RawCall], stop: StopReason = "end"
) -> tuple[ToolCall, ...]:
    """The calls in their order; one whose arguments can't be used says so in its `problem`.

    Raises `MalformedAnswerError` for a call without name.
    """
    raws = list(raw_calls)
    reserved = {raw.id for raw in raws}
    calls: dict[str, ToolCall] = {}
    for number, raw in enumerate(raws, 1):
        if not raw.name:
            raise wire.malformed("a tool call has no name")
        is_own = raw.id and raw.id not in calls
        call_id = raw.id if is_own else _free_id(number, reserved)
        reserved.add(call_id)
        # Only the last one can have been cut.
        is_cut = stop == "length" and number == len(raws)
        calls[call_id] = _call(wire, call_id, raw, is_cut=is_cut)
    return tuple(calls.values())


def _free_id(number: int, reserved: Collection[str]) -> str:
    base = f"call_{number}"
    candidates = chain([base], (f"{base}_{suffix}" for suffix in count(2)))
    return next(candidate for candidate in candidates if candidate not in reserved)


def _call(wire: VendorHttp, call_id: str, raw: RawCall, *, is_cut: bool) -> ToolCall:
    try:
        arguments = _arguments(wire, raw.arguments)
    except MalformedAnswerError:
        return ToolCall(call_id, raw.name, {}, _CUT if is_cut else _problem(raw.arguments))
    # The limit may come before the first character of the arguments, too.
    return ToolCall(call_id, raw.name, arguments, _CUT if is_cut and not arguments else "")


def _arguments(wire: VendorHttp, arguments: Any) -> Mapping[str, Any]:
    """Raises `MalformedAnswerError` for what is no object."""
    if isinstance(arguments, Mapping):
        return arguments
    if arguments is None:
        return {}
    if not isinstance(arguments, str):
        raise wire.malformed("a tool call has no object of arguments")
    return wire.json_object(arguments) if arguments.strip() not in ("", "null") else {}


def _problem(arguments: Any) -> str:
    """What the model is told of arguments that can't be used."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError) as error:
            reason = str(error)[:100]
            return f"the arguments of this call are not JSON ({reason}); send a JSON object"
    if isinstance(arguments, dict):
        return "the arguments of this call hold too many values; send a smaller JSON object"
    kind = "a JSON list" if isinstance(arguments, list) else "one JSON value"
    return f"the arguments of this call are {kind}; send a JSON object"
