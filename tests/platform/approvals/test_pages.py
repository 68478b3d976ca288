"""The page of a link, as a browser gets and sends it."""

import re
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from harness.approvals import approval, new_approval, new_link
from harness.platform import RunningPlatform
from harness.trail import listed

FORM = {
    "type": "object",
    "properties": {
        "amount": {"type": "number", "title": "Amount in EUR"},
        "gift": {"type": "boolean"},
        "kind": {"enum": ["full", "part"]},
        "note": {"type": "string"},
    },
    "required": ["amount"],
}


async def sent(client: httpx.AsyncClient, page: str, **fields: str) -> httpx.Response:
    """As a browser sends a form."""
    headers = {"content-type": "application/x-www-form-urlencoded", "origin": "null"}
    return await client.post(page, content=urlencode(fields), headers=headers)


async def new_page(platform: RunningPlatform, **fields: Any) -> tuple[str, str]:
    approval_id = await new_approval(platform, allow_link=True, **fields)
    return approval_id, f"/approve/{await new_link(platform, approval_id)}"


async def test_looking_decides_nothing_and_sending_decides_once(platform: RunningPlatform) -> None:
    message = "Refund <script>alert(1)</script> & **Ada**?"
    approval_id, page = await new_page(platform, form=FORM, deadline="2h", message=message)
    async with platform.client(None) as browser:
        for _ in range(3):
            shown = await browser.get(page)
            assert shown.status_code == 200, shown.text
        assert shown.headers["content-type"] == "text/html; charset=utf-8"
        assert "&lt;script&gt;" in shown.text
        assert "<script" not in shown.text
        names = set(re.findall(r'name="([^"]+)"', shown.text))
        assert {f"value.{name}" for name in FORM["properties"]} < names  # type: ignore[arg-type]
        assert "The deadline rejects it at" in shown.text
        assert (await approval(platform, approval_id))["state"] == "waiting"
        fields = {
            "value.amount": "12.5",
            "value.gift": "true",
            "value.kind": '"part"',
            "value.note": "42",
        }
        done = await sent(browser, page, decision="approve", comment="fine", **fields)
        assert (done.status_code, "It is approved" in done.text) == (200, True), done.text
        assert (await browser.get(page)).status_code == 404
        again = await sent(browser, page, decision="reject")
        assert (again.status_code, "is invalid" in again.text) == (404, True)
    decided = await approval(platform, approval_id)
    assert (decided["decided_by"], decided["comment"]) == ("a link of admin", "fine")
    assert decided["values"] == {"amount": 12.5, "gift": True, "kind": "part", "note": "42"}
    (entry, _) = await listed(platform, resource="approval", resource_id=approval_id)
    assert (entry["actor"], entry["action"]) == ("link", "approve")
    assert entry["after"]["message"] == message, "what they saw"


async def test_what_does_not_fit_is_said_and_the_link_stays(platform: RunningPlatform) -> None:
    approval_id, page = await new_page(platform, form=FORM)
    async with platform.client(None) as browser:
        for fields in (
            {"decision": "approve", "value.amount": "much"},
            {"decision": "approve"},
            {"decision": "later", "value.amount": "1"},
            {},
        ):
            refused = await sent(browser, page, **fields)
            assert refused.status_code == 400, refused.text
            assert 'role="alert"' in refused.text
            assert 'method="post"' in refused.text
        assert (await approval(platform, approval_id))["state"] == "waiting"
        rejected = await sent(browser, page, decision="reject", comment="no")
        assert "It is rejected" in rejected.text


async def test_the_page_runs_nothing_and_tells_nobody_its_address(
    platform: RunningPlatform, capsys: pytest.CaptureFixture[str]
) -> None:
    _, page = await new_page(platform, form={"type": "object", "minProperties": 1})
    async with platform.client(None) as browser:
        shown = await browser.get(page)
        unknown = await browser.get("/approve/pol_unknown")
    assert '<textarea id="values"' in shown.text
    assert (unknown.status_code, "<h1>" in unknown.text) == (404, True)
    for answer in (shown, unknown):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "noindex" in answer.headers["x-robots-tag"]
        assert " style=" not in answer.text
    assert page not in "".join(capsys.readouterr())
