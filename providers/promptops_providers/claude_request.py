"""A request as Anthropic's Messages API takes it.

https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from promptops_providers.claude_models import (
    default_max_tokens,
    takes_forced_tools,
    takes_schemas,
)
from promptops_providers.claude_schemas import as_claude_takes_it
from promptops_providers.json_values import object_at, objects_at
from promptops_providers.protocol import CompletionRequest, Message

KIND = "claude"
CONTENT = "content"
# Claude has nothing like a seed, and refuses names that it does not know.
_OWN_PARAMETERS = ("max_tokens", "stop", "seed", "stream")
_CALL_ID = re.compile(r"[\w-]+", re.ASCII)
_CALL_A_TOOL = "Answer by calling at least one of the tools."
_ANSWER_IN_JSON = "Answer with JSON alone, no text around it, that fits this JSON Schema:"


def body_of(request: CompletionRequest, model: str) -> dict[str, Any]:
    parameters = {name: value for name, value in request.parameters.items() if value is not None}
    body: dict[str, Any] = {
        **{name: value for name, value in parameters.items() if name not in _OWN_PARAMETERS},
        "model": model,
        "max_tokens": parameters.get("max_tokens", default_max_tokens(model)),
        "messages": _turns(request.messages),
    }
    if "stop" in parameters:
        stop = parameters["stop"]
        body["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    instructions = [
        message.content for message in request.messages if message.role in ("system", "developer")
    ]
    if request.tools:
        instructions.append(_take_tools(body, request, model))
    if request.output_schema is not None:
        instructions.append(_take_schema(body, request.output_schema, model))
    system = "\n\n".join(text for text in instructions if text.strip())
    return {**body, "system": system} if system else body


def _take_tools(body: dict[str, Any], request: CompletionRequest, model: str) -> str:
    """What the model must be told besides."""
    body["tools"] = [
        {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
        for tool in request.tools
    ]
    if request.tool_choice != "required":
        body["tool_choice"] = {"type": request.tool_choice}
        return ""
    forced = takes_forced_tools(model)
    body["tool_choice"] = {"type": "any" if forced else "auto"}
    return "" if forced else _CALL_A_TOOL


def _take_schema(body: dict[str, Any], output_schema: Mapping[str, Any], model: str) -> str:
    """What the model must be told besides."""
    schema = as_claude_takes_it(output_schema) if takes_schemas(model) else None
    if schema is None:
        return f"{_ANSWER_IN_JSON}\n{json.dumps(output_schema)}"
    form = {"type": "json_schema", "schema": schema}
    body["output_config"] = {**object_at(body, "output_config"), "format": form}
    return ""


def _turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """User and assistant by turns; the results of parallel calls are one turn."""
    last_question = max(
        (index for index, message in enumerate(messages) if message.role == "user"), default=-1
    )
    turns: list[dict[str, Any]] = []
    ids = _CallIds()
    for index, message in enumerate(messages):
        if message.role in ("system", "developer"):
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _blocks(message, ids, as_they_came=index > last_question)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


class _CallIds:
    """The API wants the ids of calls unique in the conversation, and of few characters. Those of
    other providers' turns may be neither."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._sent_for: dict[str, str] = {}

    def of_call(self, own: str) -> str:
        good = own not in self._used and _CALL_ID.fullmatch(own)
        sent = own if good else f"call_{len(self._used) + 1}_of_another"
        self._used.add(sent)
        self._sent_for[own] = sent
        return sent

    def of_result(self, own: str) -> str:
        """That of the newest call with this id."""
        return self._sent_for.get(own, own)


def _blocks(message: Message, ids: _CallIds, *, as_they_came: bool) -> list[Any]:
    """Thinking goes back within the turn that it belongs to, where the API insists on it. That of
    earlier turns stays out: newer models refuse it once anything before it has changed, as when a
    conversation outgrows its window.
    """
    kept = objects_at(object_at(message.vendor_data, KIND), CONTENT)
    if kept and as_they_came:
        return list(kept)
    if message.role == "tool":
        answered = ids.of_result(message.tool_call_id)
        return [{"type": "tool_result", "tool_use_id": answered, "content": message.content}]
    # The API refuses empty text.
    blocks: list[Mapping[str, Any]] = (
        [{"type": "text", "text": message.content}] if message.content.strip() else []
    )
    return blocks + [
        {
            "type": "tool_use",
            "id": ids.of_call(call.id),
            "name": call.name,
            "input": dict(call.arguments),
        }
        for call in message.tool_calls
    ]
