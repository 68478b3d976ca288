"""A scripted model that calls tools, and the tools that it calls: both on real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from harness.vendors import Answer, FakeVendor, fake_vendor
from harness.vendors.openai import chat, chat_call, chat_chunk

PROVIDER = "openai-compatible"

WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 7}},
    "required": ["city"],
    "additionalProperties": False,
}
ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {"item": {"type": "string"}, "count": {"type": "integer"}},
    "required": ["item", "count"],
}


def calls(*asked: tuple[str, str, str]) -> Answer:
    """An answer with tool calls: id, name and arguments of each."""
    tool_calls = [chat_call(*call) for call in asked]
    return Answer.of_json(chat(None, finish="tool_calls", tool_calls=tool_calls))


def says(text: str) -> Answer:
    return Answer.of_json(chat(text))


def streams(text: str) -> Answer:
    """Like `says`, for a run whose texts are streamed."""
    return Answer.of_events([chat_chunk({"content": text}), chat_chunk({}, "stop")])


def streams_calls(*asked: tuple[str, str, str]) -> Answer:
    """Like `calls`, for a run whose texts are streamed."""
    tool_calls = [{"index": at, **chat_call(*call)} for at, call in enumerate(asked)]
    return Answer.of_events([chat_chunk({"tool_calls": tool_calls}), chat_chunk({}, "tool_calls")])


@dataclass
class ToolPlace:
    """`model` is the agent's model server, `tools` the server that its tools call."""

    model: FakeVendor
    tools: FakeVendor

    def agent(self, **fields: Any) -> dict[str, Any]:
        """The fields of an agent with two tools."""
        return {
            "prompt": "Will it rain in {{city}}?",
            "provider": PROVIDER,
            "model": "scripted",
            "tools": [
                {
                    "name": "forecast",
                    "description": "The forecast of a city.",
                    "parameters": WEATHER,
                    "url": f"{self.tools.url}/v1/{{{{city}}}}?units=metric",
                    "headers": {"x-team": "red"},
                },
                {
                    "name": "order",
                    "description": "Order something.",
                    "parameters": ORDER,
                    "method": "POST",
                    "url": f"{self.tools.url}/orders",
                },
            ],
            **fields,
        }

    def run(self, **body: Any) -> dict[str, Any]:
        """The body of a run with the scripted model."""
        return {"base_url": self.model.url, "api_key": "sk-of-the-run", **body}

    @property
    def model_messages(self) -> list[dict[str, Any]]:
        """The messages of the last request to the model."""
        messages: list[dict[str, Any]] = self.model.seen.json["messages"]
        return messages


@asynccontextmanager
async def tool_place() -> AsyncIterator[ToolPlace]:
    async with fake_vendor() as model, fake_vendor() as tools:
        yield ToolPlace(model, tools)
