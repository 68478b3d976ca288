"""The walk of docs/schedules.md, carried out."""

import json

from harness.detached_runs import ended
from harness.documentation import blocks, needs_a_shell, shell_output
from harness.engine import READY_SECONDS, EngineProcess
from harness.platform import TOKEN, RunningPlatform
from harness.schedules import delete_schedule, schedule
from harness.workflows import running

__all__ = ["running"]


@needs_a_shell
async def test_the_walk_of_the_page_does_what_it_says(
    running: RunningPlatform, engine: EngineProcess
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    (walk,) = blocks("schedules.md")
    here = walk.replace("localhost:8080", f"127.0.0.1:{running.port}")
    printed = await shell_output(here, TOKEN=TOKEN)
    answers = [json.loads(line) for line in printed.splitlines()]
    made, preview, started = answers[2]["data"], answers[3]["data"], answers[4]
    assert (made["key"], made["workflow"], made["env"]) == ("nightly-report", "report", "prod")
    assert len(preview["next"]) == 10
    run = await ended(running, started["run_id"])
    assert (run["state"], run["output"]) == ("completed", "The last 1 days")
    assert (await schedule(running, made["id"]))["paused"]
    await delete_schedule(running, made["id"])
