"""Shortens tool results, oldest first, until the conversation fits the model's context window."""

from __future__ import annotations

from dataclasses import replace

from promptops_providers.protocol import Message

# The minimum length that is kept of the oldest result, so that the model still sees what it was.
KEPT_CHARACTERS = 200
NOTICE = "\n[cut off here, because the conversation outgrew the model's window]"
# Each cut halves the results, so that even the largest ones shrink to almost nothing.
MAX_CUTS = 16


class ResultCuts:
    """The cuts in one run's conversation."""

    def __init__(self) -> None:
        self._before: dict[int, int] = {}
        self._cuts = 0

    def cut(self, messages: list[Message]) -> bool:
        """Halve the tool results among the messages; returns False if nothing is left to cut."""
        sizes = {
            place: len(message.content)
            for place, message in enumerate(messages)
            if message.role == "tool" and len(message.content) > KEPT_CHARACTERS + len(NOTICE)
        }
        self._cuts += 1
        if not sizes or self._cuts > MAX_CUTS:
            return False
        surplus = (sum(sizes.values()) + 1) // 2
        for place, size in sizes.items():
            kept = max(KEPT_CHARACTERS, size - surplus - len(NOTICE))
            self._before.setdefault(place, size)
            messages[place] = _cut(messages[place], kept)
            surplus -= size - kept
            if surplus <= 0:
                break
        return True

    def note(self, messages: list[Message]) -> str | None:
        """A sentence for the trace; None without cuts."""
        if not self._before:
            return None
        left = sum(len(messages[place].content) for place in self._before)
        return (
            f"{len(self._before)} tool result(s) were cut from {sum(self._before.values()):,} to "
            f"{left:,} characters, because the conversation outgrew the model's window"
        )


def _cut(message: Message, kept: int) -> Message:
    return replace(message, content=message.content[:kept] + NOTICE)
