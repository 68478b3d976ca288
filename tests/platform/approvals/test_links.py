"""Links that decide once, without an account."""

from datetime import timedelta
from pathlib import Path

import pytest

from harness.approvals import approval, decide, new_approval, new_link
from harness.platform import RunningPlatform, new_settings, running_platform
from harness.trail import listed
from promptops_platform.access.token_guesses import GUESSES_PER_ADDRESS


async def test_a_link_decides_once(platform: RunningPlatform) -> None:
    approval_id = await new_approval(platform, allow_link=True)
    first, second = [await new_link(platform, approval_id) for _ in range(2)]
    async with platform.client(None) as stranger:
        for _ in range(2):
            shown = await stranger.get(f"/api/approval-links/{first}")
            assert shown.status_code == 200, shown.text
            assert shown.json()["data"]["message"] == "Send it?"
        body = {"decision": "reject", "comment": "not now"}
        answer = await stranger.post(f"/api/approval-links/{first}", json=body)
        assert answer.json()["data"]["state"] == "rejected"
        for token in (first, second):
            assert (await stranger.get(f"/api/approval-links/{token}")).status_code == 404
            answer = await stranger.post(f"/api/approval-links/{token}", json=body)
            assert answer.status_code == 404
    decided = await approval(platform, approval_id)
    assert (decided["decided_by"], decided["comment"]) == ("a link of admin", "not now")
    entries = await listed(platform, resource="approval", resource_id=approval_id)
    assert [(entry["actor"], entry["action"]) for entry in entries] == [
        ("link", "reject"),
        ("admin", "link"),
        ("admin", "link"),
    ]


async def test_only_where_the_definition_allows_it(platform: RunningPlatform) -> None:
    refused = await platform.http.post(f"/api/approvals/{await new_approval(platform)}/link")
    assert (refused.status_code, "allow_link" in refused.json()["error"]) == (409, True)
    decided = {"id": await new_approval(platform, allow_link=True)}
    assert (await decide(platform.http, decided)).status_code == 200
    refused = await platform.http.post(f"/api/approvals/{decided['id']}/link")
    assert refused.status_code == 409


async def test_a_link_ends_with_the_deadline(platform: RunningPlatform) -> None:
    approval_id = await new_approval(platform, allow_link=True, deadline="2h")
    row = await approval(platform, approval_id)
    made = (await platform.http.post(f"/api/approvals/{approval_id}/link")).json()["data"]
    assert made["expires_at"] == row["deadline_at"]
    links = platform.platform.approvals.links
    link, _ = await links.open(made["url"].rpartition("/")[2], address="")
    assert link.deadline_at is not None
    assert link.deadline_at - link.created_at == timedelta(hours=2)


async def test_no_log_names_a_link(
    platform: RunningPlatform, capsys: pytest.CaptureFixture[str]
) -> None:
    token = await new_link(platform, await new_approval(platform, allow_link=True))
    async with platform.client(None) as stranger:
        assert (await stranger.get(f"/api/approval-links/{token}")).status_code == 200
    output = "".join(capsys.readouterr())
    assert "/api/approval-links/" in output
    assert token not in output


async def test_links_are_not_guessed(data_folder: Path) -> None:
    # A platform of its own: this machine's address is locked afterwards.
    settings = await new_settings("sqlite", None, data_folder)
    async with running_platform(settings) as platform, platform.client(None) as stranger:
        statuses = [
            (await stranger.get(f"/api/approval-links/pol_{number}")).status_code
            for number in range(GUESSES_PER_ADDRESS + 1)
        ]
    assert (set(statuses), statuses[-1]) == ({404, 429}, 429)
