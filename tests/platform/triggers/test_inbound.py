"""Inbound webhooks: what admits a message, and what an address tells to others."""

import json
import time
from typing import Any

import httpx
import pytest

from harness.people import logged_in, new_user, sent
from harness.platform import RunningPlatform, new_key
from harness.triggers import deliveries, events, hook_path, new_trigger, send, signature, signed
from promptops_platform.errors import SecretUnreadable
from promptops_platform.triggers.tables import TriggerRow

WEBHOOK = {"webhook": True}
PAYLOAD = {"customer": {"name": "Ada"}, "items": [1, 2]}


async def test_a_signed_message_fires_once(platform: RunningPlatform) -> None:
    trigger = await new_trigger(platform, WEBHOOK)
    first = await send(platform, trigger, PAYLOAD, message_id="msg_one")
    again = await send(platform, trigger, PAYLOAD, message_id="msg_one")
    other = await send(platform, trigger, PAYLOAD, message_id="msg_two")
    assert [answer.status_code for answer in (first, again, other)] == [202, 202, 202]
    assert first.json() == again.json() != other.json()
    rows = await deliveries(platform, trigger)
    assert [row["event"]["id"] for row in rows] == ["msg_one", "msg_two"]
    assert rows[0]["id"] == first.json()["data"]["id"]
    # What was sent is for the run alone.
    assert "body" not in rows[0]["event"]


async def refused(
    platform: RunningPlatform, path: str, body: bytes, headers: dict[str, str]
) -> httpx.Response:
    async with platform.client(None) as client:
        return await client.post(path, content=body, headers=headers)


async def test_whatever_is_wrong_is_refused_in_the_same_words(platform: RunningPlatform) -> None:
    trigger = await new_trigger(platform, WEBHOOK)
    disabled = await new_trigger(platform, WEBHOOK, enabled=False)
    path, secret, body, now = hook_path(trigger), trigger["secret"], b'{"a":1}', int(time.time())
    other = disabled["secret"]
    good = signed(secret, body)
    wrong: list[tuple[str, bytes, dict[str, str]]] = [
        ("/hooks/unknown", body, good),
        (hook_path(disabled), body, signed(other, body)),
        (path, body, signed(other, body)),
        (path, b'{"a":2}', good),
        (path, body, {**good, "webhook-id": "msg_other"}),
        (path, body, {**good, "webhook-timestamp": str(now - 1)}),
        (path, body, signed(secret, body, at=now - 400)),
        (path, body, signed(secret, body, at=now + 400)),
        (path, body, {**good, "webhook-signature": good["webhook-signature"].replace("v1", "v2")}),
        (path, body, {name: value for name, value in good.items() if name != "webhook-id"}),
        (path, body, signed(secret, body, message_id="m" * 201)),
        (path, body, {**good, "webhook-timestamp": "soon"}),
        (path, body, {}),
    ]
    answers = [await refused(platform, *message) for message in wrong]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    unlike = {"date", "x-request-id"}
    heads = [{n: v for n, v in answer.headers.items() if n not in unlike} for answer in answers]
    assert all(head == heads[0] for head in heads)
    assert await events(platform, trigger) == []


async def test_one_of_several_signatures_is_enough(platform: RunningPlatform) -> None:
    trigger = await new_trigger(platform, WEBHOOK)
    body = b"{}"
    headers = signed(trigger["secret"], body)
    headers["webhook-signature"] = f"v1a,AAAA v1,AAAA {headers['webhook-signature']}"
    assert (await refused(platform, hook_path(trigger), body, headers)).status_code == 202


async def test_no_log_has_the_address(
    platform: RunningPlatform, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await platform.http.post("/hooks/a-secret-address", content=b"{}")
    assert answer.status_code == 404, answer.text
    printed = capsys.readouterr().out
    assert "/hooks/" in printed
    assert "a-secret-address" not in printed


async def test_a_body_of_more_than_a_megabyte_is_refused(platform: RunningPlatform) -> None:
    trigger = await new_trigger(platform, WEBHOOK)
    whole = json.dumps("x" * (1_048_576 - 2)).encode()
    for body, status in ((whole, 202), (whole + b" ", 413)):
        headers = signed(trigger["secret"], body)
        answer = await refused(platform, hook_path(trigger), body, headers)
        assert answer.status_code == status, answer.text
        unknown = await refused(platform, "/hooks/unknown", body, headers)
        assert unknown.status_code == (404 if status == 202 else 413)


@pytest.mark.parametrize("body", [b"plain text", b"", b"\xef\xbb\xbf{}", b'{"a": NaN}'])
async def test_a_body_need_not_be_json(platform: RunningPlatform, body: bytes) -> None:
    trigger = await new_trigger(platform, WEBHOOK)
    headers = signed(trigger["secret"], body)
    answer = await refused(platform, hook_path(trigger), body, headers)
    assert answer.status_code == 202, answer.text


async def test_secrets_overlap_when_they_are_rotated(platform: RunningPlatform) -> None:
    trigger = await new_trigger(platform, WEBHOOK)
    url = f"/api/triggers/{trigger['id']}/rotate-secret"
    rotated = sent(await platform.http.post(url))
    assert rotated["secret"] not in (None, trigger["secret"])
    assert rotated["previous_secret_until"] is not None
    assert rotated["url"] == trigger["url"]
    for sender in (trigger, rotated):
        assert (await send(platform, sender, {})).status_code == 202
    last = sent(await platform.http.post(url, json={"overlap_seconds": 0}))
    statuses = [
        (await send(platform, sender, {})).status_code for sender in (trigger, rotated, last)
    ]
    assert statuses == [404, 404, 202]


async def test_secrets_count_after_they_were_encrypted_again(platform: RunningPlatform) -> None:
    trigger = await new_trigger(platform, WEBHOOK)
    service = platform.platform.triggers.service
    async with platform.platform.database.write() as transaction:
        renewed, unreadable = await service.reseal(transaction, forget=False)
    assert renewed > 0
    assert unreadable == ()
    assert (await send(platform, trigger, {})).status_code == 202


async def test_a_secret_that_can_not_be_read_disables_its_trigger(
    platform: RunningPlatform,
) -> None:
    trigger = await new_trigger(platform, WEBHOOK)
    platform_ = platform.platform
    async with platform_.database.write() as transaction:
        row = await transaction.session.get(TriggerRow, trigger["id"])
        assert row is not None
        row.sealed_secret = "of another key"
    async with platform_.database.write() as transaction:
        with pytest.raises(SecretUnreadable, match=trigger["key"]):
            await platform_.triggers.service.reseal(transaction, forget=False)
    async with platform_.database.write() as transaction:
        _, unreadable = await platform_.triggers.service.reseal(transaction, forget=True)
    assert unreadable == (trigger["key"],)
    shown = sent(await platform.http.get(f"/api/triggers/{trigger['id']}"))
    assert shown["state"] == "disabled"
    assert (await send(platform, trigger, {})).status_code == 404


async def test_the_address_is_shown_to_those_who_may_change_it(platform: RunningPlatform) -> None:
    trigger = await new_trigger(platform, WEBHOOK)
    url = f"/api/triggers/{trigger['id']}"
    assert sent(await platform.http.get(url))["url"] == trigger["url"]
    async with logged_in(platform, await new_user(platform, "viewer")) as viewer:
        seen: dict[str, Any] = sent(await viewer.get(url))
    assert seen["url"] is None
    assert seen["secret"] is None


def test_a_signature_is_that_of_the_specification() -> None:
    """The example of the reference implementations
    (https://github.com/standard-webhooks/standard-webhooks/tree/main/libraries)."""
    secret, message_id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    made = signature(secret, message_id, 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_trigger_without_webhooks_has_no_secret(platform: RunningPlatform) -> None:
    trigger = await new_trigger(platform, {"event": "run.failed", "workflow": new_key()})
    assert (trigger["url"], trigger["secret"]) == (None, None)
    url = f"/api/triggers/{trigger['id']}"
    assert (await platform.http.post(f"{url}/rotate-secret")).status_code == 400
    received = sent(await platform.http.put(url, json={"on": WEBHOOK}))
    assert received["url"]
    assert received["secret"]
