"""Stores turns of conversations.

A conversation needs its texts, even if the policy for texts of runs doesn't allow storing them. If
it doesn't allow all of them, a turn is stored completely but sealed. Only the agent's next run
reads it, and people see what the policy allows.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from promptops_flows.definitions.agent import read_message, written_message
from promptops_flows.telemetry.text_policy import TextPolicy
from promptops_platform.agents.tables import ConversationMessageRow
from promptops_platform.errors import SecretUnreadable, StartRefused
from promptops_platform.sealing import SecretKeys, Unsealable
from promptops_providers.protocol import Message

PSEUDONYM = re.compile("redacted:[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn of a run, at its position in a conversation."""

    conversation_id: str
    position: int
    run_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """A turn in the form that people may see."""

    role: str
    content: str
    tool_calls: list[dict[str, Any]]
    tool_call_id: str
    run_id: str
    created_at: datetime


class ConversationMemory:
    """Writes and reads the rows of turns."""

    def __init__(self, texts: TextPolicy, keys: SecretKeys) -> None:
        self._texts = texts
        self._keys = keys

    def name(self, agent_id: str, conversation_id: str) -> str:
        """Return the name under which a conversation is stored: its id, or a pseudonym for an id
        that may not be stored. The name of a name is itself."""
        if PSEUDONYM.fullmatch(conversation_id):
            return conversation_id
        if self._texts.redact(conversation_id) == conversation_id:
            return conversation_id
        digest = hashlib.sha256(f"{agent_id}\n{conversation_id}".encode()).hexdigest()
        return f"redacted:{digest[:32]}"

    async def rows(
        self, first: StoredTurn, turns: Sequence[dict[str, Any]]
    ) -> list[ConversationMessageRow]:
        """Return the turns as rows, starting at that position."""
        # In a thread: turns may be megabytes, and encryption takes time.
        return await asyncio.to_thread(self._rows, first, turns)

    async def messages(self, rows: Sequence[ConversationMessageRow]) -> list[Message]:
        """Return the complete turns, for the agent; raises SecretUnreadable."""
        turns = await asyncio.to_thread(lambda: [self._turn(row) for row in rows])
        return [read_message(turn) for turn in turns]

    async def shown(self, rows: Sequence[ConversationMessageRow]) -> list[ShownTurn]:
        """Return the turns, with the texts that may be stored; raises SecretUnreadable."""
        return await asyncio.to_thread(lambda: [self._shown(row) for row in rows])

    def check(self, row: ConversationMessageRow) -> None:
        """Raises StartRefused if the secret key of this sealed row is missing or a different
        one."""
        if self._keys.missing is not None:
            problem = f"{self._keys.missing} is missing, and conversations in this database need it"
        elif self.resealed(row) is None:
            problem = "conversations in this database were encrypted with another secret key"
        else:
            return
        raise StartRefused(
            f"{problem}; put the file back from a backup, or set PROMPTOPS_SECRET_KEY to its text. "
            "Nothing was changed. When it is lost: promptops rotate-secrets --forget-unreadable"
        )

    def resealed(self, row: ConversationMessageRow) -> str | None:
        """Return the text of `row`, sealed again with the first secret key; None if no key can read
        it."""
        try:
            return self._keys.sealer.seal(
                self._unsealed(row), _place(row.conversation_id, row.position)
            )
        except Unsealable:
            return None

    def _rows(
        self, first: StoredTurn, turns: Sequence[dict[str, Any]]
    ) -> list[ConversationMessageRow]:
        return [
            self._row(first, position, turn) for position, turn in enumerate(turns, first.position)
        ]

    def _row(
        self, first: StoredTurn, position: int, turn: dict[str, Any]
    ) -> ConversationMessageRow:
        sealed, plain = None, turn
        if not self._texts.keeps_everything:
            place = _place(first.conversation_id, position)
            sealed, plain = self._keys.sealer.seal(json.dumps(turn), place), {}
        return ConversationMessageRow(
            conversation_id=first.conversation_id,
            position=position,
            run_id=first.run_id,
            role=turn["role"],
            content=plain.get("content", ""),
            tool_calls=plain.get("tool_calls", []),
            tool_call_id=plain.get("tool_call_id", ""),
            vendor_data=plain.get("vendor_data", {}),
            sealed=sealed,
            created_at=first.created_at,
        )

    def _turn(self, row: ConversationMessageRow) -> dict[str, Any]:
        if row.sealed is None:
            return written_message(_plain_message(row))
        try:
            turn: dict[str, Any] = json.loads(self._unsealed(row))
        except Unsealable as error:
            raise SecretUnreadable(
                f"the conversation can't be read: {error}; give this platform the secret key of "
                "the one that stored it, or delete the conversation"
            ) from error
        return turn

    def _unsealed(self, row: ConversationMessageRow) -> str:
        return self._keys.sealer.unseal(row.sealed or "", _place(row.conversation_id, row.position))

    def _shown(self, row: ConversationMessageRow) -> ShownTurn:
        turn = self._turn(row) if self._texts.keeps_texts else {}
        return ShownTurn(
            role=row.role,
            content=self._texts.text(turn.get("content", "")) or "",
            tool_calls=self._texts.json(turn.get("tool_calls", [])) or [],
            tool_call_id=self._texts.text(turn.get("tool_call_id", "")) or "",
            run_id=row.run_id,
            created_at=row.created_at,
        )


def _plain_message(row: ConversationMessageRow) -> Message:
    return read_message(
        {
            "role": row.role,
            "content": row.content,
            "tool_calls": row.tool_calls,
            "tool_call_id": row.tool_call_id,
            "vendor_data": row.vendor_data,
        }
    )


def _place(conversation_id: str, position: int) -> str:
    """Return the place that a sealed turn is bound to."""
    return "\n".join(("conversation", conversation_id, str(position)))
