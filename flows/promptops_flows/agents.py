"""What an agent's run is asked to do, as the platform hands it to the engine.

The platform has checked the definition when it was saved; what is read here comes from nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from promptops_flows.definitions import DefinitionError, ModelChoice
from promptops_providers.protocol import Message, Role, Tool, ToolCall

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

MAX_MODEL_CALLS = 50
MAX_TOOL_SECONDS = 300.0
MAX_TOOL_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class HttpTool:
    """A tool that is a request to `url`, whose `{{argument}}` placeholders are filled from the
    call's arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    method: Method
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 30.0
    max_response_bytes: int = 65_536

    def as_tool(self) -> Tool:
        """The tool as a model is told of it."""
        return Tool(self.name, self.description, self.parameters)


@dataclass(frozen=True, slots=True)
class AgentTask:
    """One run of an agent.

    `prompt` are templates: a text has one message of role `user`. `history` is what the model is to
    see of the conversation so far. With `said`, the user's turn, the prompt stands before the
    history; a text prompt is the system's message then, else it is the user's turn itself.
    """

    prompt: tuple[Message, ...]
    is_chat: bool
    models: tuple[ModelChoice, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[HttpTool, ...] = ()
    max_steps: int = 8
    output_schema: Mapping[str, Any] | None = None
    history: tuple[Message, ...] = ()
    said: str | None = None


def read_agent(raw: Mapping[str, Any]) -> AgentTask:
    """The task in the JSON of a run's request; raises `DefinitionError`."""
    try:
        return AgentTask(
            prompt=tuple(read_message(each) for each in raw["prompt"]),
            is_chat=bool(raw["is_chat"]),
            models=tuple(ModelChoice(**each) for each in raw["models"]),
            parameters=raw["parameters"],
            tools=tuple(HttpTool(**each) for each in raw["tools"]),
            max_steps=raw["max_steps"],
            output_schema=raw["output_schema"],
            history=tuple(read_message(each) for each in raw["history"]),
            said=raw["said"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DefinitionError(
            "the agent can't be read; platform and run engine are of different releases, restart "
            "both"
        ) from error


def read_message(raw: Mapping[str, Any]) -> Message:
    """A message in the form of `written_message`."""
    return Message(
        cast("Role", raw["role"]),
        raw["content"],
        tuple(ToolCall(**call) for call in raw.get("tool_calls", ())),
        raw.get("tool_call_id", ""),
        raw.get("vendor_data", {}),
    )


def written_message(message: Message) -> dict[str, Any]:
    """A message as JSON; what is empty is left out."""
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
