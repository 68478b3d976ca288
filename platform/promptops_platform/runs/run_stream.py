"""A run as a client follows it: bounded, so that a slow or absent client never holds it up."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from promptops_flows.engine_client import RunEvent, StepDelta, StepFinished, StepStarted
from promptops_platform.http.event_stream import ServerEvent
from promptops_platform.runs.executor import RunOutcome

# Of text that waits for the client; what comes on top of it is left out, and said to be.
MOST_WAITING = 1_048_576
TOOL = "tool"


class RunStream:
    """Events from the run to one client.

    `start` has the run's names, `delta` a piece of a model's text, `tool_call` and `tool_result` a
    tool, by the number of the step. Pieces that the client has not fetched yet are joined.
    """

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self._waiting: deque[ServerEvent | _Text] = deque()
        self._characters = 0
        # From the first piece that was left out, until the client has fetched some.
        self._skipping = False
        self._changed = asyncio.Event()
        self._ended = False

    def opened(self, outcome: RunOutcome) -> None:
        """The run goes."""
        self._put(
            "start",
            {
                "run_id": outcome.run_id,
                "flow_run_id": outcome.flow_run_id,
                "flow_run_url": outcome.flow_run_url,
            },
        )
        self.started.set()

    def happened(self, event: RunEvent) -> None:
        """Something happened in the run."""
        if isinstance(event, StepDelta):
            self._add_text(event)
        elif isinstance(event, StepStarted) and event.type == TOOL:
            called = {"step": event.index, "name": event.name, "arguments": _json(event.input)}
            self._put("tool_call", called)
        elif isinstance(event, StepFinished) and event.type == TOOL:
            brought = {"step": event.index, "name": event.name, "output": event.output}
            self._put("tool_result", {**brought, "error": event.error})

    def end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._changed.set()

    async def events(self) -> AsyncGenerator[ServerEvent, None]:
        """Each event once, as it comes, until the end."""
        while True:
            while self._waiting:
                waiting = self._waiting.popleft()
                if isinstance(waiting, _Text):
                    text = "".join(waiting.parts)
                    self._characters -= len(text)
                    self._skipping = False
                    yield ServerEvent("delta", {"step": waiting.step, "text": text})
                else:
                    yield waiting
            if self._ended:
                return
            self._changed.clear()
            await self._changed.wait()

    def _put(self, name: str, data: Any) -> None:
        self._waiting.append(ServerEvent(name, data))
        self._changed.set()

    def _add_text(self, piece: StepDelta) -> None:
        last = self._waiting[-1] if self._waiting else None
        if self._skipping or self._characters + len(piece.text) > MOST_WAITING:
            if not self._skipping:
                self._put("skipped", {"step": piece.index})
            self._skipping = True
            return
        self._characters += len(piece.text)
        if isinstance(last, _Text) and last.step == piece.index:
            last.parts.append(piece.text)
        else:
            self._waiting.append(_Text(piece.index, [piece.text]))
        self._changed.set()


@dataclass(slots=True)
class _Text:
    """Pieces of a step's text; joined when they are fetched, as there may be very many."""

    step: int
    parts: list[str]


def _json(text: str | None) -> Any:
    """The value in the text; the text itself where a secret that was taken out has broken it."""
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
