"""The events of a run for those who may read it: they contain no more than the run log does."""

import json
from typing import Any

from promptops_flows.protocol.engine_client import StepDelta, StepStarted
from promptops_platform.execution.run_feed import FeedEvent
from promptops_platform.execution.run_stream import delta_event
from promptops_platform.http.event_stream import ServerEvent
from promptops_platform.runlog.redaction import StoredTexts
from promptops_platform.runlog.schemas import RunStep
from promptops_platform.runlog.service import RunLog

TOOL = "tool"
# A model may have made up the name of a tool.
PUBLIC_NAME = "tool: unknown"


class LiveEvents:
    """Converts engine events to stream events."""

    def __init__(self, runs: RunLog) -> None:
        self._runs = runs
        self._texts = StoredTexts(runs.text_policy)

    @property
    def have_text(self) -> bool:
        """Whether text is sent as it is generated. A redaction pattern may span several pieces, so
        redacted text is sent only at the end of its step."""
        return self._runs.text_policy.keeps_everything

    async def shown(self, run_id: str, event: FeedEvent) -> list[ServerEvent]:
        """Return the stream events for an engine event, the step itself last."""
        if isinstance(event, StepDelta):
            return [delta_event(event)] if self.have_text else []
        if isinstance(event, StepStarted):
            return await self._started(event)
        step = RunStep.of_row(await self._runs.step_row(run_id, event))
        shown = [step_event(step)]
        if event.type == TOOL:
            result = {"name": step.name, "output": step.output, "error": step.error}
            shown.insert(0, ServerEvent("tool_result", {"step": event.index, **result}))
        return shown

    async def _started(self, event: StepStarted) -> list[ServerEvent]:
        name = self._texts.name(event.name, PUBLIC_NAME if event.type == TOOL else None)
        begun = {"step": event.index, "name": name, "type": event.type, "start": event.started_at}
        shown = [ServerEvent("step_started", {**begun, "outer": event.outer})]
        if event.type == TOOL:
            arguments = _json(await self._texts.text(event.input))
            called = {"step": event.index, "name": name, "arguments": arguments}
            shown.append(ServerEvent("tool_call", called))
        return shown


def step_event(step: RunStep) -> ServerEvent:
    """Return the event of a finished step."""
    return ServerEvent("step", step.model_dump(mode="json"))


def _json(text: str | None) -> Any:
    """Parse the text as JSON; return the text itself if redaction has broken it."""
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
