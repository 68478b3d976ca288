"""How a run ends whose code failed in a way that nobody foresaw."""

from harness.engine import request
from promptops_flows.engine.compiled_run import CompiledRun
from promptops_flows.wire import RunFinished


class BrokenRun(CompiledRun):
    async def run_steps(self) -> RunFinished:
        raise ValueError("zebra of ada@private.example")


async def test_what_nobody_foresaw_is_not_quoted_to_prefect() -> None:
    run = BrokenRun(request(), lambda _event: None)
    state = await run._run()
    sentence = "internal error (ValueError), see the engine's log"
    assert run.result == RunFinished("error", error=sentence)
    assert run.ended.is_set()
    assert (state.is_failed(), state.message) == (True, sentence)
    assert "zebra" not in state.model_dump_json()
