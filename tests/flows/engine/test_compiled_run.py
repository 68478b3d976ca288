"""The result of a run whose code failed unexpectedly."""

from typing import Any

from harness.engine import request
from promptops_flows.engine.cancellation import Cancellation
from promptops_flows.engine.checkpoints import NoCheckpoints
from promptops_flows.engine.compiled_run import CompiledRun
from promptops_flows.engine.run_control import RunControl
from promptops_flows.protocol.engine_protocol import RunFinished
from promptops_flows.telemetry.text_policy import EVERYTHING


class BrokenRun(CompiledRun):
    async def run_steps(self) -> RunFinished:
        raise ValueError("zebra of ada@private.example")


async def test_an_unexpected_error_is_not_quoted_in_prefect() -> None:
    no_inner_flows: Any = None
    control = RunControl(Cancellation(EVERYTHING), NoCheckpoints(), no_inner_flows)
    run = BrokenRun(request(), lambda _event: None, control)
    state = await run._run()
    sentence = "internal error (ValueError), see the engine's log"
    assert run.result == RunFinished("error", error=sentence)
    assert run.ended.is_set()
    assert (state.is_failed(), state.message) == (True, sentence)
    assert "zebra" not in state.model_dump_json()
