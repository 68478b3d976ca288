"""From an event to the run or the delivery that comes of it, by way of Prefect."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from harness.detached_runs import ended
from harness.people import sent
from harness.platform import TOKEN, RunningPlatform, new_key, until_found
from harness.prefect_server import PrefectServer
from harness.triggers import (
    LONG_SECONDS,
    Receiver,
    deliveries,
    new_trigger,
    new_workflow,
    receiver,
    send,
    settled,
    settled_firings,
    signature,
)
from harness.workflows import running

__all__ = ["receiver", "running"]


async def test_a_publish_runs_a_workflow_in_a_flow_run_of_its_deployment(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    key = new_key()
    trigger = await new_trigger(running, {"event": "prompt.published", "env": "prod", "key": key})
    prompt = await running.create(key, env="prod")
    await running.publish(prompt["id"])
    (delivery,) = await settled(running, trigger)
    assert delivery["state"] in ("started", "delivered")
    run = await ended(running, delivery["run_id"])
    (delivery,) = await deliveries(running, trigger)
    assert (delivery["state"], delivery["ended_at"]) == ("delivered", run["finished_at"])
    assert run["state"] == "completed", run
    assert run["output"] == f"Hello {prompt['key']}"
    assert run["user"] == f"trigger {trigger['key']}"
    with prefect_server.client() as prefect:
        flow_run = prefect.get(f"/flow_runs/{run['flow_run_id']}").json()
        deployment = prefect.get(f"/deployments/{flow_run['deployment_id']}").json()
    assert deployment["name"].startswith(trigger["key"])
    assert flow_run["parameters"]["event"] == delivery["id"]
    stored = sent(await running.http.get(f"/api/triggers/{trigger['id']}"))
    assert str(deployment["id"]) in stored["deployment_url"]
    assert stored["last_fired_at"] is not None


async def test_an_inbound_webhook_runs_an_agent_with_what_was_sent(
    running: RunningPlatform,
) -> None:
    body = {"key": new_key(), "prompt": "Greet {{name}} {{count}}"}
    agent = sent(await running.http.post("/api/agents", json=body))
    variables = {"name": "{{event.body.customer.name}}", "count": "{{length(event.body.items)}}"}
    run = {"agent": agent["key"], "variables": variables}
    trigger = await new_trigger(running, {"webhook": True}, run=run)
    payload = {"customer": {"name": "Ada"}, "items": [1, 2]}
    assert (await send(running, trigger, payload)).status_code == 202
    (delivery,) = await settled(running, trigger)
    made = await ended(running, delivery["run_id"])
    assert made["state"] == "completed", made
    assert "Greet Ada 2" in made["output"]


async def test_an_event_that_no_run_can_be_made_of_fails_and_says_why(
    running: RunningPlatform,
) -> None:
    schema = {"type": "object", "properties": {"who": {"type": "number"}}}
    run = {
        "workflow": await new_workflow(running, input_schema=schema),
        "variables": {"who": "{{event.body}}"},
    }
    trigger = await new_trigger(running, {"webhook": True}, run=run)
    await send(running, trigger, "no number")
    (delivery,) = await settled(running, trigger)
    assert delivery["state"] == "failed"
    assert "variables" in delivery["error"]


async def test_a_delivery_is_signed_retried_and_sent_again(
    running: RunningPlatform, receiver: Receiver, prefect_server: PrefectServer
) -> None:
    receiver.statuses[:] = [503]
    to = {"url": f"{receiver.url}/token-in-the-path"}
    meant = {"event": "prompt.published", "env": "prod", "key": new_key()}
    trigger = await new_trigger(running, meant, run=None, deliver=to)
    prompt = await running.create(meant["key"], env="prod")
    await running.publish(prompt["id"])
    (delivery,) = await settled(running, trigger, "delivered")
    assert [attempt["number"] for attempt in delivery["attempts"]] == [1]
    assert "HTTP 503" in delivery["attempts"][0]["error"]
    assert (delivery["answer_status"], delivery["answer"]) == (200, "taken")
    url = f"/api/triggers/{trigger['id']}/deliveries/{delivery['id']}/resend"
    rotated = sent(await running.http.post(f"/api/triggers/{trigger['id']}/rotate-secret"))
    again = await running.http.post(url)
    assert again.status_code == 202, again.text
    assert again.json()["data"]["resend_of"] == delivery["id"]
    both = await settled(running, trigger, "delivered", number=2)
    assert {row["message_id"] for row in both} == {delivery["message_id"]}

    assert len(receiver.messages) == 3
    for headers, body in receiver.messages:
        message_id, at = headers["webhook-id"], int(headers["webhook-timestamp"])
        assert message_id == delivery["message_id"]
        made = signature(trigger["secret"], message_id, at, body)
        assert made in headers["webhook-signature"].split(" ")
    newest = receiver.messages[-1]
    made = signature(rotated["secret"], delivery["message_id"], at, newest[1])
    assert newest[0]["webhook-signature"].split(" ")[0] == made
    payload = json.loads(newest[1])
    assert payload["type"] == "prompt.published"
    assert payload["data"]["key"] == prompt["key"]
    run = await ended(running, delivery["run_id"])
    whole = json.dumps([run, both]) + await shown_by_prefect(prefect_server, run["flow_run_id"])
    assert trigger["secret"] not in whole
    assert "token-in-the-path" not in whole


async def shown_by_prefect(server: PrefectServer, flow_run_id: str) -> str:
    """All that Prefect has of a flow run."""
    with server.client() as prefect:
        flow_run = prefect.get(f"/flow_runs/{flow_run_id}")
        of_run = {"flow_runs": {"id": {"any_": [flow_run_id]}}}
        tasks = prefect.post("/task_runs/filter", json=of_run)
        logs = prefect.post("/logs/filter", json={})
        deployment = prefect.get(f"/deployments/{flow_run.json()['deployment_id']}")
    return "".join(answer.text for answer in (flow_run, tasks, logs, deployment))


async def test_a_receiver_that_is_gone_for_good_is_not_asked_again(
    running: RunningPlatform, receiver: Receiver
) -> None:
    receiver.statuses[:] = [410]
    trigger = await new_trigger(running, {"webhook": True}, run=None, deliver={"url": receiver.url})
    await send(running, trigger, {})
    (delivery,) = await settled(running, trigger, "failed")
    assert len(receiver.messages) == 1
    assert "HTTP 410" in delivery["error"]


async def test_a_loop_of_runs_is_stopped_and_named(running: RunningPlatform) -> None:
    workflow = await new_workflow(running)
    run = {"workflow": workflow, "variables": {"who": "{{event.run_id}}"}}
    on = {"event": "run.completed", "workflow": workflow}
    trigger = await new_trigger(running, on, run=run)
    await start(running, workflow)
    await stopped_for_a_loop(running, trigger, runs=3)


async def test_a_run_that_publishes_what_triggers_it_is_stopped_and_named(
    running: RunningPlatform, receiver: Receiver
) -> None:
    """A step holds no key of ours, so it publishes over a gateway that adds one."""
    prompt = await running.create(env="prod")

    async def publish(headers: dict[str, str], body: bytes) -> None:
        cause = {"x-promptops-run": headers["x-promptops-run"]}
        answer = await running.http.post("/api/prompts/publish", content=body, headers=cause)
        assert answer.status_code == 200, answer.text

    receiver.forward = publish
    steps = [
        {
            "name": "publish",
            "type": "http",
            "method": "POST",
            "url": receiver.url,
            "body": {"id": "{{id}}"},
        }
    ]
    workflow = await new_workflow(running, steps=steps)
    run = {"workflow": workflow, "variables": {"id": "{{event.prompt_id}}"}}
    on = {"event": "prompt.published", "key": prompt["key"]}
    trigger = await new_trigger(running, on, run=run)
    await running.publish(prompt["id"])
    await stopped_for_a_loop(running, trigger, runs=3)


async def stopped_for_a_loop(
    platform: RunningPlatform, trigger: dict[str, Any], *, runs: int
) -> None:
    url = f"/api/triggers/{trigger['id']}"

    async def look() -> list[dict[str, Any]]:
        row = sent(await platform.http.get(url))
        return [row] if row["state"] == "stopped" else []

    (row,) = await until_found(look, LONG_SECONDS)
    assert "loop" in row["state_reason"]
    rows = await deliveries(platform, trigger)
    assert [delivery["state"] == "stopped" for delivery in rows] == [False] * runs + [True]
    trail = await platform.http.get("/api/audit", params={"key": trigger["key"]})
    entry = trail.json()["data"][0]
    assert (entry["action"], entry["actor"]) == ("stop", "system")
    assert "loop" in entry["summary"]
    again = sent(await platform.http.put(url, json={"enabled": True}))
    assert (again["state"], again["state_reason"]) == ("active", "")
    sent(await platform.http.put(url, json={"enabled": False}))


async def start(platform: RunningPlatform, workflow: str) -> None:
    listed = sent(await platform.http.get("/api/workflows", params={"q": workflow}))
    url = f"/api/workflows/{listed[0]['id']}/run"
    answer = await platform.http.post(url, json={"wait": False})
    assert answer.status_code == 202, answer.text


@pytest.mark.trial
@pytest.mark.timeout(1800)
async def test_each_of_many_publishes_makes_exactly_one_run(
    running: RunningPlatform, request: pytest.FixtureRequest
) -> None:
    is_sqlite = running.platform.database.engines.is_sqlite
    # Prefect needs most of the time, whatever our database is.
    number = 1000 if request.config.getoption("--long") else 20 if is_sqlite else 5
    mark = new_key()
    on = {"event": "prompt.published", "key": f"{mark}-*"}
    trigger = await new_trigger(running, on)
    turns = asyncio.Semaphore(5)

    async def publish(place: int) -> None:
        async with turns:
            prompt = await running.create(f"{mark}-{place}", env="prod")
            await running.publish(prompt["id"])

    await asyncio.gather(*(publish(place) for place in range(number)))

    async def all_settled() -> list[int]:
        settled_now = await settled_firings(running, trigger)
        return [settled_now] if settled_now >= number else []

    await until_found(all_settled, LONG_SECONDS * max(1, number / 100))
    rows = await deliveries(running, trigger)
    assert len(rows) == number
    assert len({row["run_id"] for row in rows}) == number
    keys = {row["event"]["key"] for row in rows}
    assert keys == {f"{mark}-{place}" for place in range(number)}


async def test_no_request_of_others_carries_a_run(running: RunningPlatform) -> None:
    """What is no run's id is not taken for a cause."""
    key = new_key()
    trigger = await new_trigger(running, {"event": "prompt.published", "key": key})
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{running.port}",
        headers={"authorization": f"Bearer {TOKEN}", "x-promptops-run": "../../etc"},
        verify=False,
    ) as client:
        prompt = sent(await client.post("/api/prompts", json={"key": key}))
        await client.post("/api/prompts/publish", json={"id": prompt["id"]})
    (delivery,) = await settled(running, trigger)
    assert delivery["state"] in ("started", "delivered")
