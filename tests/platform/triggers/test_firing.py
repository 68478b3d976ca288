"""What fires a trigger: written with the change, and nothing else."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.definitions import KINDS, new_definition
from harness.followers import following
from harness.people import new_workspace, sent
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    running_platform,
    until_found,
)
from harness.postgres import Postgres
from harness.triggers import deliveries, events, new_trigger, new_workflow
from promptops_flows.protocol.engine_client import RunFinished, StepFinished
from promptops_platform.clock import FakeClock
from promptops_platform.ids import new_id
from promptops_platform.runlog.new_run import NewRun


async def test_a_publish_fires_the_triggers_that_mean_it(platform: RunningPlatform) -> None:
    key = f"greeting-{new_key()}"
    meant = {"event": "prompt.published", "key": "greeting-*", "env": "prod"}
    triggers = [
        await new_trigger(platform, meant),
        await new_trigger(platform, {"event": "prompt.published"}),
        await new_trigger(platform, {**meant, "env": "dev"}),
        await new_trigger(platform, {**meant, "key": "greeting?*"}),
        await new_trigger(platform, {**meant, "event": "prompt.updated"}),
        await new_trigger(platform, meant, enabled=False),
        await new_trigger(platform, meant, workspace=await new_workspace(platform), deliver=TO),
    ]
    prompt = await platform.create(key, env="prod")
    await platform.publish(prompt["id"])
    fired = [await events(platform, trigger) for trigger in triggers]
    assert [len(rows) for rows in fired] == [1, 1, 0, 0, 1, 0, 0]
    event = fired[0][0]
    assert event["type"] == "prompt.published"
    assert (event["key"], event["env"], event["version"]) == (key, "prod", "v1")
    assert (event["prompt_id"], event["actor"]) == (prompt["id"], "admin")
    first = (await deliveries(platform, triggers[0]))[0]
    assert first["state"] == "waiting"
    assert first["message_id"] == f"msg_{first['id']}"


TO = {"url": "http://127.0.0.1:9/hook"}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_run_fires_the_triggers_on_a_tag_of_its_definition(
    platform: RunningPlatform, kind: str
) -> None:
    definition = await new_definition(platform, kind)
    await definition.edit("one", tags="Nightly, E mail")
    filters: list[dict[str, Any]] = [
        {"tag": "NIGHTLY"},
        {"tag": "e*", kind: definition.key},
        {"tag": "night"},
        {"tag": "nightly", kind: "another"},
        {},
    ]
    triggers = [await new_trigger(platform, {"event": "run.failed", **on}) for on in filters]
    for tags in ("Nightly, E mail", ""):
        await definition.edit("one", tags=tags)
        await end_run(platform, NewRun(new_id(), "default", kind, definition.key))
    fired = [await events(platform, trigger) for trigger in triggers]
    assert [
        [event["tags"] for event in rows if event.get(kind) == definition.key] for rows in fired
    ] == [
        ["Nightly, E mail"],
        ["Nightly, E mail"],
        [],
        [],
        ["Nightly, E mail", ""],
    ]


async def end_run(platform: RunningPlatform, new: NewRun) -> None:
    """A run that fails at once."""
    log = platform.platform.runlog.log
    async with platform.platform.database.write() as transaction:
        await log.open(transaction, new)
    async with platform.platform.database.write() as transaction:
        await log.close(transaction, new.id, RunFinished("error", error="in vain"))


async def test_updates_rollbacks_and_rollouts_are_events_of_their_own(
    platform: RunningPlatform,
) -> None:
    key = new_key()
    kinds = ("prompt.published", "prompt.updated", "prompt.rolled_back", "rollout.changed")
    triggers = {kind: await new_trigger(platform, {"event": kind, "key": key}) for kind in kinds}
    http = platform.http
    prompt = await platform.create(key, content="one")
    await platform.publish(prompt["id"])
    # A draft: nobody fetches it.
    sent(await http.put(f"/api/prompts/{prompt['id']}", json={"content": "two"}))
    await platform.publish(prompt["id"])
    rollout = {"enabled": True, "variant_a": "v1", "variant_b": "v2", "weight_a": 50}
    sent(await http.put(f"/api/prompts/{prompt['id']}/rollout", json=rollout))
    await http.delete(f"/api/prompts/{prompt['id']}/rollout")
    back = {"id": prompt["id"], "version": "v1"}
    assert (await http.post("/api/prompts/rollback", json=back)).status_code == 200
    fired = {kind: len(await events(platform, trigger)) for kind, trigger in triggers.items()}
    assert fired == {
        "prompt.published": 2,
        "prompt.updated": 1,
        "prompt.rolled_back": 1,
        "rollout.changed": 2,
    }


async def test_a_change_that_is_rolled_back_fires_nothing(platform: RunningPlatform) -> None:
    key = new_key()
    trigger = await new_trigger(platform, {"event": "prompt.updated", "key": key})
    await platform.create(key, env="dev")
    taken = await platform.http.post("/api/prompts", json={"key": key, "env": "dev"})
    assert taken.status_code == 409
    assert len(await events(platform, trigger)) == 1


async def test_a_trigger_that_was_deleted_or_disabled_is_fired_no_more(
    platform: RunningPlatform,
) -> None:
    key = new_key()
    trigger = await new_trigger(platform, {"event": "prompt.published", "key": key})
    prompt = await platform.create(key)
    sent(await platform.http.put(f"/api/triggers/{trigger['id']}", json={"enabled": False}))
    await platform.publish(prompt["id"])
    assert await events(platform, trigger) == []
    sent(await platform.http.put(f"/api/triggers/{trigger['id']}", json={"enabled": True}))
    assert (await platform.http.delete(f"/api/triggers/{trigger['id']}")).status_code == 200
    await platform.publish(prompt["id"])


async def test_a_delivery_is_fired_again_on_request(platform: RunningPlatform) -> None:
    key = new_key()
    trigger = await new_trigger(platform, {"event": "prompt.published", "key": key})
    await platform.publish((await platform.create(key))["id"])
    url = f"/api/triggers/{trigger['id']}/deliveries"
    first = (await deliveries(platform, trigger))[0]
    waiting = await platform.http.post(f"{url}/{first['id']}/resend")
    assert waiting.status_code == 409, waiting.text
    gone = await platform.http.post(f"{url}/unknown/resend")
    assert gone.status_code == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"on": {"event": "prompt.vanished"}}, "on"),
        ({"on": {"event": "prompt.published", "agent": "a"}}, "agent"),
        ({"on": {"event": "prompt.published", "tag": "a"}}, "tag"),
        ({"on": {"event": "run.failed", "tag": ["a"]}}, "tag"),
        ({"on": {"event": "run.failed", "tag": " "}}, "is blank"),
        ({"on": {"event": "run.failed", "tag": "a,b"}}, "'a,b' contains several tags"),
        ({"on": {"webhook": True, "key": "a"}}, "key"),
        ({"on": {"webhook": False}}, "webhook"),
        ({"deliver": TO}, "deliver"),
        ({"run": {"workflow": "unknown"}}, "there is no workflow 'unknown'"),
        ({"run": {"workflow": "a", "agent": "b"}}, "either"),
        ({"run": {}}, "either"),
        ({"run": {"workflow": "a", "version": 1, "env": "dev"}}, "exclude"),
        ({"run": None}, "run"),
        ({"run": None, "deliver": {"url": "http://example.org/"}}, "deliver.url"),
        ({"run": None, "deliver": {"url": "http://u:p@127.0.0.1/"}}, "deliver.url"),
    ],
)
async def test_what_a_trigger_can_not_be(
    platform: RunningPlatform, body: dict[str, object], words: str
) -> None:
    whole = {
        "key": new_key(),
        "on": {"event": "prompt.published"},
        "run": {"workflow": await new_workflow(platform)},
        **body,
    }
    answer = await platform.http.post("/api/triggers", json=whole)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"history": "Hello"}, "variable 'history' can't fill its placeholder"),
        ({"history": []}, "nothing fills it"),
        ({}, "nothing fills it"),
        ({"history": "{{event.body}}"}, None),
        ({"history": [{"role": "user", "content": "Hi {{event.key}}"}]}, None),
        ({"history": [{"role": "user", "content": "Hi"}], "more": "x"}, None),
    ],
)
async def test_variables_that_fill_no_placeholder_of_an_agent_are_refused(
    platform: RunningPlatform, variables: dict[str, Any], words: str | None
) -> None:
    prompt = await platform.create(messages=[{"type": "placeholder", "name": "history"}])
    agent = {"key": new_key(), "prompt_ref": {"key": prompt["key"], "env": prompt["env"]}}
    await platform.http.post("/api/agents", json=agent)
    run = {"agent": agent["key"], "variables": variables}
    body = {"key": new_key(), "on": {"webhook": True}, "run": run}
    answer = await platform.http.post("/api/triggers", json=body)
    assert answer.status_code == (400 if words else 200), answer.text
    assert words is None or words in answer.json()["error"]


@pytest.mark.parametrize(
    "template", ["{{event.}}", "{{ }}", "{{event.key | }}", "{{" + "a." * 600 + "a}}"]
)
async def test_a_template_that_can_not_be_read_is_refused(
    platform: RunningPlatform, template: str
) -> None:
    run = {"workflow": await new_workflow(platform), "variables": {"list": [{"x": template}]}}
    body = {"key": new_key(), "on": {"event": "prompt.published"}, "run": run}
    answer = await platform.http.post("/api/triggers", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"].startswith("variables")


async def test_a_key_is_of_one_trigger_and_an_edit_is_audited(platform: RunningPlatform) -> None:
    trigger = await new_trigger(platform, {"event": "prompt.published"}, run=None, deliver=SECRET)
    assert trigger["secret"].startswith("whsec_")
    body = {"key": trigger["key"], "on": {"webhook": True}, "deliver": SECRET}
    assert (await platform.http.post("/api/triggers", json=body)).status_code == 409
    url = f"/api/triggers/{trigger['id']}"
    edited = sent(await platform.http.put(url, json={"on": {"event": "run.failed"}}))
    assert edited["on"] == {"event": "run.failed"}
    assert edited["secret"] is None
    assert sent(await platform.http.get(url))["deliver"] == SECRET
    trail = await platform.http.get("/api/audit", params={"key": trigger["key"]})
    assert [entry["action"] for entry in trail.json()["data"]] == ["update", "create"]
    assert "token-in-the-path" not in trail.text
    assert "whsec_" not in trail.text


SECRET = {"url": "http://127.0.0.1:9/token-in-the-path"}


async def test_a_connection_that_fails_in_a_row_fires_at_its_number(
    platform: RunningPlatform,
) -> None:
    on = {"event": "connection.failing", "connection": "team-*", "failures": 2}
    trigger = await new_trigger(platform, on)
    name = f"team-{new_key()}"
    for error in ("down", None, "down", "down", "down"):
        await call_over(platform, name, error)
    await call_over(platform, "another", "down")
    (event,) = await events(platform, trigger)
    assert (event["connection"], event["failures"], event["error"]) == (name, 2, "down")
    await call_over(platform, name, None)
    for _ in range(2):
        await call_over(platform, name, "down")
    assert len(await events(platform, trigger)) == 2


async def call_over(platform: RunningPlatform, provider: str, error: str | None) -> None:
    """A run of one step that asks this provider, and ends."""
    log = platform.platform.runlog.log
    new = NewRun(new_id(), "default", "workflow", "a-workflow")
    step = StepFinished(
        index=1,
        name="ask",
        type="model",
        state="Failed" if error else "Completed",
        started_at="2030-01-01T00:00:00+00:00",
        duration_ms=1,
        attempts=1,
        error=error,
        provider=provider,
        model="m",
    )
    async with platform.platform.database.write() as transaction:
        await log.open(transaction, new)
    async with platform.platform.database.write() as transaction:
        await log.add_step(transaction, new.id, step)
        end = RunFinished("error", error=error) if error else RunFinished("ok", output="x")
        await log.close(transaction, new.id, end)


async def test_a_client_that_is_behind_fires_once_for_what_it_lacks(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    clock, app = FakeClock(), new_key()
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings, clock) as platform:
        on = {"event": "client.behind", "app": app, "seconds": 30}
        trigger = await new_trigger(platform, on)
        other = await new_trigger(platform, {**on, "app": "another"})
        watch = platform.platform.triggers.client_watch
        async with following(platform, app=app, client="python", version="9.9") as follower:
            prompt = await platform.create(env="prod")
            await follower.report_keys(prompt["key"])
            await watch.check()
            assert await events(platform, trigger) == []
            clock.advance(timedelta(seconds=31))

            async def look() -> list[dict[str, Any]]:
                await watch.check()
                return await events(platform, trigger)

            (event,) = await until_found(look)
            assert len(await look()) == 1
        assert (event["app"], event["revisions"]) == (app, 1)
        assert event["seconds"] >= 30
        assert await events(platform, other) == []
