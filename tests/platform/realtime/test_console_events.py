"""What a console hears of, and that nobody else does."""

import asyncio
from typing import Any

from harness.changes.change_requests import change_request
from harness.consoles import events_until, login_of, open_console
from harness.followers import following
from harness.people import join, new_api_key, new_user, new_workspace, sent
from harness.platform import (
    RunningPlatform,
    new_key,
    next_event,
    until,
)
from harness.processes import WAIT_SECONDS
from harness.replicas import TwoReplicas, two_replicas
from harness.rollouts import halves, published, put
from harness.runs import logged, new_run, open_run
from promptops_platform.changes.schemas import Change
from promptops_platform.realtime.hub import EVERYTHING
from promptops_platform.runlog.events import MANY, MOST_NAMED, RunEvents
from promptops_platform.runlog.tables import RunRow

__all__ = ["two_replicas"]


async def change_all_lists(platform: RunningPlatform, workspace: str = "default") -> set[str]:
    """Change something in each list; the types of the events that consoles hear."""
    http = platform.http
    prompt = await published(platform, "one", "two")
    assert (await put(platform, prompt, **halves())).status_code == 200
    await http.put(f"/api/prompts/{prompt['id']}", json={"content": "a draft"})
    await http.delete(f"/api/prompts/{prompt['id']}")
    agent = sent(await http.post("/api/agents", json={"key": new_key(), "prompt": "hi"}))
    sent(await http.post(f"/api/agents/{agent['id']}/publish"))
    await http.delete(f"/api/agents/{agent['id']}")
    steps: dict[str, Any] = {"key": new_key(), "steps": []}
    workflow = sent(await http.post("/api/workflows", json=steps))
    sent(await http.post(f"/api/workflows/{workflow['id']}/publish"))
    await http.delete(f"/api/workflows/{workflow['id']}")
    sent(await http.post("/api/providers", json={"name": new_key()[:40], "kind": "mock"}))
    await new_workspace(platform)
    await platform.create(env=new_key()[:30])
    await change_request(platform)
    user = await new_user(platform, "viewer")
    await http.delete(f"/api/users/{user['id']}")
    await new_api_key(platform)
    await logged(platform)
    return {
        *("prompt.updated", "prompt.published", "prompt.drafted", "prompt.deleted"),
        *("rollout.changed", "agent.saved", "agent.published", "agent.deleted"),
        *("workflow.saved", "workflow.published", "workflow.deleted"),
        *("provider.changed", "workspace.saved", "environment.changed", "user.changed"),
        *("key.saved", "run.ended", "change_request.changed"),
    }


async def test_a_console_hears_of_every_list(platform: RunningPlatform) -> None:
    async with open_console(platform) as console:
        expected = await change_all_lists(platform)
        seen: set[str] = set()
        while not expected <= seen:
            seen.add((await next_event(console))["type"])


async def test_existing_clients_hear_of_prompts_alone(platform: RunningPlatform) -> None:
    """Also one that calls itself a console: it takes the console's cookie to hear more."""
    async with (
        platform.watch() as old,
        platform.watch(client="console", app="console") as with_client_type,
        following(platform, namespace="") as resuming,
    ):
        await change_all_lists(platform)
        # The run's event has gone out once a later one is through.
        async with open_console(platform) as console:
            await logged(platform)
            while not (await next_event(console))["type"].startswith("run."):
                pass
        last = await platform.create(env="prod")
        for connection in (old, with_client_type):
            while (event := await next_event(connection))["id"] != last["id"]:
                assert event["type"] in ("prompt.updated", "prompt.published")
                assert list(event) == ["type", "id", "key", "env", "version"]
        revision = 0
        while (event := await resuming.next()).get("id") != last["id"]:
            # A workspace that it may read is new.
            types = ("prompt.updated", "prompt.published", "prompt.deleted", "resync")
            assert event["type"] in types
            assert event["revision"] > revision or event["type"] == "resync"
            revision = event["revision"]


async def test_an_event_names_what_changed_and_where(platform: RunningPlatform) -> None:
    async with open_console(platform) as console:
        prompt = await platform.create(env="prod")
        assert await next_event(console) == {
            "type": "prompt.updated",
            "id": prompt["id"],
            "key": prompt["key"],
            "env": "prod",
            "version": prompt["version"],
            "workspace": "default",
        }


async def test_a_viewer_does_not_hear_of_lists_of_admins(platform: RunningPlatform) -> None:
    viewer = await new_user(platform, "viewer")
    async with open_console(platform, login_of(viewer)) as console:
        await new_user(platform, "viewer")
        await new_api_key(platform)
        types = {event["type"] for event in await events_until(console, platform)}
        assert not types & {"user.changed", "key.saved", "session.saved"}
        body = {"role": "editor"}
        sent(await platform.http.put(f"/api/users/{viewer['id']}", json=body))
        events = [await next_event(console), await next_event(console)]
        # The rights are others, and the account is the reader's own.
        assert events[0] == {"type": "resync"}
        assert (events[1]["type"], events[1]["id"]) == ("user.changed", viewer["id"])


async def test_a_restricted_workspace_is_not_heard_of(platform: RunningPlatform) -> None:
    viewer = await new_user(platform, "viewer")
    workspace = await new_workspace(platform, "restricted")
    async with open_console(platform, login_of(viewer)) as console:
        await platform.create(workspace=workspace)
        hidden = new_run(workspace_id=workspace)
        await open_run(platform, hidden)
        shown = new_run()
        await open_run(platform, shown)
        events = []
        while (event := await next_event(console)).get("id") != shown.id:
            events.append(event)
        assert all(event.get("workspace") != workspace for event in events)
        await join(platform, workspace, viewer, "viewer")
        assert await next_event(console) == {"type": "resync"}
        assert (await next_event(console))["type"] == "workspace.saved"
        prompt = await platform.create(workspace=workspace)
        while (await next_event(console)).get("id") != prompt["id"]:
            pass


async def test_a_limited_key_learns_no_name_beyond_its_environments(
    platform: RunningPlatform,
) -> None:
    key = await new_api_key(platform, role="viewer", environments=["prod"])
    async with open_console(platform, {"token": key}) as console:
        await platform.create(env="test")
        sent(await platform.http.post("/api/agents", json={"key": new_key(), "prompt": "hi"}))
        await logged(platform, new_run(scope="env:test"))
        run = new_run(scope="env:prod")
        await logged(platform, run)
        events = await events_until(console, platform)
        while (event := await next_event(console)).get("id") != run.id:
            events.append(event)
        agents = [event for event in events if event["type"] == "agent.saved"]
        assert agents
        assert all(event["id"] == event["key"] == "" for event in agents)
        assert {event["env"] for event in events if event["type"] == "prompt.updated"} <= {"prod"}
        assert not [event for event in events if event["type"].startswith("run.")]


async def test_the_steps_of_a_run_are_heard_of_before_its_end(platform: RunningPlatform) -> None:
    events = platform.platform.runlog.events
    async with open_console(platform) as console:
        run = new_run(source="workflow", ref_key="nightly")
        await open_run(platform, run)
        started = await next_event(console)
        assert started["type"] == "run.started"
        assert (started["id"], started["key"], started["source"]) == (run.id, "nightly", "workflow")
        events.step_ended(run.id)
        assert (await next_event(console))["type"] == "run.step"


async def test_many_runs_are_few_events(platform: RunningPlatform) -> None:
    async with open_console(platform) as console:
        async with asyncio.timeout(WAIT_SECONDS):
            runs = [await logged(platform) for _ in range(3 * MOST_NAMED)]
        prompt = await platform.create()
        named_runs: list[str] = []
        many = 0
        while True:
            event = await next_event(console)
            if event.get("id") == prompt["id"]:
                continue
            many += event["type"] == MANY
            if event["type"] == "run.ended":
                named_runs.append(event["id"])
            if many or set(runs) <= set(named_runs):
                break
        assert len(named_runs) == len(set(named_runs))


def test_at_most_so_many_runs_are_named_at_once() -> None:
    events = RunEvents()
    for number in range(1000):
        events.ended(_row(f"r{number}", "default"))
    events.ended(_row("other", "team"))
    announced = events.take()
    assert len([event for event in announced if event.workspace_id == "default"]) == MOST_NAMED + 1
    assert [event.type for event in announced if event.workspace_id == "default"][-1] == MANY
    assert [event.id for event in announced if event.workspace_id == "team"] == ["other"]
    assert events.take() == []


async def test_a_console_that_does_not_read_is_told_less(platform: RunningPlatform) -> None:
    """What waits for it is bounded by the number of things that can change."""
    async with open_console(platform):
        await until(
            lambda: any(view.is_console for view, _ in platform.platform.realtime.hub.groups())
        )
        (watch,) = [
            watch
            for view, group in platform.platform.realtime.hub.groups()
            if view.is_console
            for watch in group.legacy
        ]
        watch._is_open = False
        for number in range(5000):
            watch.send(Change(MANY, "", "default"), b"")
            watch.send(Change("user.changed", f"user-{number % 3}"), b"")
            watch.send(EVERYTHING, b"")
        assert watch._backlog is not None
        waiting = []
        while watch._backlog:
            waiting.append(watch._backlog.take())
        assert len(waiting) < 300
        assert {change.type for change in waiting[-5:]} == {MANY, "user.changed", "resync"}


async def test_a_console_at_another_replica_hears_the_same(
    two_replicas: TwoReplicas,
) -> None:
    one, other = two_replicas
    async with open_console(other) as console:
        expected = await change_all_lists(one)
        # More than fits into one notification.
        for number in range(10 * MOST_NAMED):
            one.platform.runlog.events.started(_row(f"r{number}", "default", "ключ" * 50))
        seen, named_runs = set[str](), set[str]()
        while not expected | {"run.started", MANY} <= seen:
            event = await next_event(console)
            seen.add(event["type"])
            if event["type"] == "run.started":
                named_runs.add(event["id"])
        assert len(named_runs) >= MOST_NAMED - 1


async def test_what_another_release_signals_is_passed_over(platform: RunningPlatform) -> None:
    signals = platform.platform.changes.signals
    async with open_console(platform) as console:
        for text in ("", "runs", "runs {", "runs [1]", 'runs [{"new": 1}]', "weather fine"):
            signals.receive(f"another-replica {text}")
        assert await events_until(console, platform) == []


def _row(run_id: str, workspace: str, key: str = "k") -> RunRow:
    fields = {"source": "playground", "ref_key": key, "status": "ok", "scope": None}
    return RunRow(id=run_id, workspace_id=workspace, **fields)
