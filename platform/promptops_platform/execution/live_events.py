"""What happens in a run as anybody may see it who may read the run: no more than the log keeps."""

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
    """Turns events of the engine into those of a stream."""

    def __init__(self, runs: RunLog) -> None:
        self._runs = runs
        self._texts = StoredTexts(runs.text_policy)

    @property
    def have_text(self) -> bool:
        """Whether text is shown as it comes. What a pattern blanks out may span several pieces, so
        that a text that is redacted is shown at the end of its step only."""
        return self._runs.text_policy.keeps_everything

    async def shown(self, run_id: str, event: FeedEvent) -> list[ServerEvent]:
        """What is shown of an event, the step itself last."""
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
    """A step that has finished."""
    return ServerEvent("step", step.model_dump(mode="json"))


def _json(text: str | None) -> Any:
    """The value in the text; the text itself where redaction has broken it."""
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
