"""Requests and responses of conversations."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel

from promptops_platform.agents.memory import ShownTurn
from promptops_platform.agents.tables import ConversationRow
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example, example_like

EXAMPLE_MESSAGE: dict[str, Any] = {
    "role": "user",
    "content": "And tomorrow?",
    "tool_calls": [],
    "tool_call_id": "",
    "run_id": "5e4f30219b8a7c6d",
    "created_at": "2026-03-14T09:26:53.589793Z",
}


class ConversationMessage(Resource):
    """A message. `tool_calls` are the calls that the assistant requests; a message with the role
    `tool` is the result of the call named by `tool_call_id`. PROMPTOPS_RUN_TEXTS and
    PROMPTOPS_RUN_REDACT apply to the texts."""

    model_config = example(**EXAMPLE_MESSAGE)

    role: str
    content: str
    tool_calls: list[dict[str, Any]]
    tool_call_id: str
    run_id: str
    created_at: datetime


class Conversation(BaseModel):
    """A conversation; `id` is the `conversation_id` of its runs, or, if PROMPTOPS_RUN_REDACT
    redacts a part of it, a pseudonym that can be used instead."""

    model_config = example(
        id="chat-17",
        agent_id="6d7e8f90a1b2c3d4",
        messages=2,
        created_at="2026-03-14T09:26:53.589793Z",
        updated_at="2026-03-14T09:26:53.589793Z",
    )

    id: str
    agent_id: str
    messages: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of_row(cls, row: ConversationRow, **more: Any) -> Self:
        return cls(
            id=row.name,
            agent_id=row.agent_id,
            messages=row.messages,
            created_at=row.created_at,
            updated_at=row.updated_at,
            **more,
        )


class ConversationDetail(Conversation):
    """A conversation with its newest messages in chronological order."""

    model_config = example_like(Conversation, newest=[EXAMPLE_MESSAGE])

    newest: list[ConversationMessage]

    @classmethod
    def with_messages(cls, row: ConversationRow, turns: list[ShownTurn]) -> Self:
        return cls.of_row(row, newest=[ConversationMessage.of(turn) for turn in turns])
