"""Runs of an engine as their readers follow them."""

from harness.detached_runs import STEPS, ended, submit
from harness.events import RunStreamEvent, events_of, run_events_of
from harness.fake_engine import FakeEngine
from harness.platform import RunningPlatform, until
from harness.runs import detail
from harness.workflows import save_workflow


def shown(event: RunStreamEvent) -> str:
    """The event in one word, with its step or state where it has one."""
    extra = event.data.get("step", event.data.get("state", "") if event.name == "state" else "")
    return f"{event.name} {extra}".strip()


async def test_a_run_that_nobody_waits_for_is_followed(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    workflow = await save_workflow(controlled, STEPS)
    fake.hold = lambda _run, place: place == 2
    run_id = await submit(controlled, workflow)
    await until(lambda: bool(fake.held))
    async with controlled.http.stream("GET", f"/api/runs/{run_id}/events") as answer:
        coming = run_events_of(answer)
        seen = []
        while "step_started 2" not in seen:
            seen.append(shown(await anext(coming)))
        fake.release()
        seen += [shown(event) async for event in coming]
    assert seen[0] == "run"
    # The first step is in the run or comes after it, as the log may be a moment behind.
    assert seen[seen.index("step_started 2") :] == [
        *("step_started 2", "step 2", "step_started 3", "step 3", "state completed", "end")
    ]
    run = await detail(controlled, run_id)
    assert [step["name"] for step in run["steps"]] == ["one", "two", "three"]


async def test_another_attempt_is_followed_as_well(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    workflow = await save_workflow(controlled, STEPS)
    fake.hold = lambda _run, place: place == 2
    run_id = await submit(controlled, workflow)
    await until(lambda: bool(fake.held))
    async with controlled.http.stream("GET", f"/api/runs/{run_id}/events") as answer:
        coming = run_events_of(answer)
        while shown(await anext(coming)) != "step_started 2":
            pass
        await fake.kill()
        fake.release()
        await fake.start()
        events = [event async for event in coming]
    attempts = [event.data["attempt"] for event in events if event.name == "state"]
    assert attempts[-1] == 2
    assert "step_started 2" in [shown(event) for event in events]
    assert (events[-1].name, events[-1].data["state"]) == ("end", "completed")


async def test_a_run_goes_on_when_a_stop_ends_its_stream(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    workflow = await save_workflow(controlled, STEPS)
    fake.hold = lambda _run, place: place == 2
    url = f"/api/workflows/{workflow['id']}/run"
    async with controlled.http.stream("POST", url, json={"stream": True}) as answer:
        coming = events_of(answer)
        names = [(await anext(coming)).name for _ in range(4)]
        assert names == ["start", "step_started", "step", "step_started"]
        controlled.platform.stop_signal.set()
        assert [event.name async for event in coming] == ["stopping"]
    fake.release()
    run = await ended(controlled, fake.requests[0].run_id)
    assert (run["state"], run["output"]) == ("completed", "one two three ")
