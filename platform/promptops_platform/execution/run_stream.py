"""A run's events for one client, bounded so that a slow or absent client never delays the run."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from promptops_flows.protocol.engine_client import RunEvent, StepDelta, StepFinished, StepStarted
from promptops_platform.errors import PlatformError
from promptops_platform.execution.followers import ForwardingFollower, RunFollower, RunOutcome
from promptops_platform.execution.schemas import StartedRun
from promptops_platform.http.error_answers import fault_body
from promptops_platform.http.event_stream import HEARTBEAT_SECONDS, ServerEvent
from promptops_platform.runlog.trace import StepTrace

log = structlog.get_logger(__name__)

# Limit of text that waits for the client; the excess is dropped, and the client is notified.
MOST_WAITING = 1_048_576
TOOL = "tool"


class RunStream:
    """Events from the run to one client.

    `start` contains the run's names, `delta` a piece of a model's text, `tool_call` and
    `tool_result` a tool, by the number of the step. Pieces that the client has not read yet are
    joined.
    """

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self._waiting: deque[ServerEvent | _Text] = deque()
        self._characters = 0
        # Set from the first dropped piece until the client has read some text.
        self._skipping = False
        self._changed = asyncio.Event()
        self._ended = False

    def opened(self, outcome: RunOutcome) -> None:
        """The run has started."""
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
        """No more events follow."""
        self._ended = True
        self._changed.set()

    async def events(self) -> AsyncGenerator[ServerEvent, None]:
        """Yield each event once, as it happens, until the end."""
        while True:
            while self._waiting:
                waiting = self._waiting.popleft()
                if isinstance(waiting, _Text):
                    text = "".join(waiting.parts)
                    self._characters -= len(text)
                    self._skipping = False
                    yield delta_event(StepDelta(waiting.step, text, waiting.attempt))
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
        if isinstance(last, _Text) and (last.step, last.attempt) == (piece.index, piece.attempt):
            last.parts.append(piece.text)
        else:
            self._waiting.append(_Text(piece.index, piece.attempt, [piece.text]))
        self._changed.set()


class StepStream(RunStream):
    """Also sends `step_started` when a step begins, and `step` with its trace when it ends."""

    def happened(self, event: RunEvent) -> None:
        if isinstance(event, StepStarted):
            begun = {"name": event.name, "type": event.type, "start": event.started_at}
            self._put("step_started", {"step": event.index, **begun})
        elif isinstance(event, StepFinished):
            trace = StepTrace.of(event).model_dump(mode="json")
            self._put("step", {"step": event.index, **trace})
        else:
            super().happened(event)


class StreamFollower(ForwardingFollower):
    """Also passes the events of a run to a stream."""

    def __init__(self, follower: RunFollower, stream: RunStream) -> None:
        super().__init__(follower)
        self._stream = stream

    def opened(self, outcome: RunOutcome) -> None:
        super().opened(outcome)
        self._stream.opened(outcome)

    def happened(self, event: RunEvent) -> None:
        super().happened(event)
        self._stream.happened(event)


def waiting(started: StartedRun) -> ServerEvent:
    """Return the last event of a run that continues in the background."""
    return ServerEvent("waiting", started.model_dump(mode="json"))


async def goes_on(started: StartedRun) -> AsyncGenerator[ServerEvent, None]:
    """Yield the events of a run that is executed in the background from the beginning."""
    yield waiting(started)


async def follow_run(
    run: Callable[[RunStream], Coroutine[Any, Any, RunOutcome]],
    stream: RunStream,
    last_events: Callable[[RunOutcome], list[ServerEvent]],
    request_id: str,
) -> AsyncGenerator[ServerEvent, None]:
    """Yield the events of a run that has started: those of the stream, then `last_events`, or
    `error` if these raise.

    Raises what `run` raises if it can't start. If the run isn't started after HEARTBEAT_SECONDS,
    the stream begins and sends heartbeats until it is. The run continues when the events are
    closed.
    """
    running = asyncio.create_task(run(stream))
    starting = asyncio.create_task(stream.started.wait())
    await asyncio.wait(
        [running, starting], timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
    )
    starting.cancel()
    if running.done() and not stream.started.is_set():
        running.result()
    running.add_done_callback(lambda done: _ended(done, stream))
    return _events(stream, running, last_events, request_id)


def _ended(running: asyncio.Task[RunOutcome], stream: RunStream) -> None:
    # Retrieved, so that asyncio doesn't warn about it if the client has gone.
    if not running.cancelled():
        running.exception()
    stream.end()


async def _events(
    stream: RunStream,
    running: asyncio.Task[RunOutcome],
    last_events: Callable[[RunOutcome], list[ServerEvent]],
    request_id: str,
) -> AsyncGenerator[ServerEvent, None]:
    async for event in stream.events():
        yield event
    try:
        last = last_events(running.result())
    except PlatformError as error:
        last = [ServerEvent("error", error.body())]
    except Exception:
        log.exception("stream_failed", request_id=request_id)
        last = [ServerEvent("error", fault_body(request_id))]
    for event in last:
        yield event


@dataclass(slots=True)
class _Text:
    """Pieces of a step's text; joined when they are read, as there may be very many."""

    step: int
    attempt: int
    parts: list[str]


def delta_event(piece: StepDelta) -> ServerEvent:
    """Return the event of a piece of text. An `attempt` means that the response replaces an earlier
    one, so the step's text starts again."""
    data = {"step": piece.index, "text": piece.text}
    return ServerEvent("delta", data if piece.attempt == 1 else {**data, "attempt": piece.attempt})


def _json(text: str | None) -> Any:
    """Parse the text as JSON; return the text itself if removing a secret has broken it."""
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
