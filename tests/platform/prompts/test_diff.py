"""What differs between versions."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from harness.platform import RunningPlatform
from promptops_platform.definitions.text_diff import MOST_LINES, unified
from promptops_platform.prompts.body import Body
from promptops_platform.prompts.diff import compare
from promptops_platform.prompts.tables import PromptVersionRow

SYSTEM = {"role": "system", "content": "be kind"}
USER = {"role": "user", "content": "hello"}


async def diff(platform: RunningPlatform, prompt_id: str, **query: str) -> dict[str, Any]:
    answer = await platform.http.get(f"/api/prompts/{prompt_id}/diff", params=query)
    assert answer.status_code == 200, answer.text
    differences: dict[str, Any] = answer.json()["data"]
    return differences


async def test_without_labels_it_shows_what_a_publish_would_change(
    platform: RunningPlatform,
) -> None:
    prompt = await platform.create(content="one\ntwo\n", model="m1", config={"seed": 1})
    await platform.publish(prompt["id"])
    url = f"/api/prompts/{prompt['id']}"
    assert await diff(platform, prompt["id"]) == {
        "from": "v1", "to": "draft", "same": True, "content": "", "fields": [], "messages": [],
    }  # fmt: skip
    edit = {"content": "one\n2\n", "model": "m2", "config": {"seed": True}, "name": "not served"}
    await platform.http.put(url, json=edit)
    differences = await diff(platform, prompt["id"])
    assert differences["content"] == "--- v1\n+++ draft\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
    assert differences["fields"] == [
        {"name": "model", "before": "m1", "after": "m2"},
        {"name": "config", "before": {"seed": 1}, "after": {"seed": True}},
    ]
    assert (differences["same"], differences["messages"]) == (False, [])


async def test_any_two_labels_can_be_compared(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="one")
    for content in ("one", "two", "three"):
        await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": content})
        await platform.publish(prompt["id"])
    differences = await diff(platform, prompt["id"], **{"from": "v3", "to": "v1"})
    assert "-three\n" in differences["content"]
    assert "+one\n" in differences["content"]
    assert (differences["from"], differences["to"]) == ("v3", "v1")
    differences = await diff(platform, prompt["id"], **{"from": "draft", "to": ""})
    assert differences["same"] is True


async def test_messages_are_compared_one_by_one(platform: RunningPlatform) -> None:
    prompt = await platform.create(messages=[USER])
    await platform.publish(prompt["id"])
    changed = USER | {"role": "assistant"}
    messages = {"messages": [SYSTEM, USER, changed]}
    await platform.http.put(f"/api/prompts/{prompt['id']}", json=messages)
    differences = await diff(platform, prompt["id"])
    assert differences["fields"] == []
    assert differences["messages"] == [
        {"before_index": None, "after_index": 0, "before": None, "after": SYSTEM},
        {"before_index": None, "after_index": 2, "before": None, "after": changed},
    ]


async def test_a_role_alone_is_a_change(platform: RunningPlatform) -> None:
    prompt = await platform.create(messages=[USER])
    await platform.publish(prompt["id"])
    changed = USER | {"role": "developer"}
    await platform.http.put(f"/api/prompts/{prompt['id']}", json={"messages": [changed]})
    differences = await diff(platform, prompt["id"])
    assert (differences["content"], differences["same"]) == ("", False)
    assert differences["messages"] == [
        {"before_index": 0, "after_index": 0, "before": USER, "after": changed}
    ]


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ({}, 404, "no published version"),
        ({"from": "draft"}, 200, ""),
        ({"from": "v9"}, 404, "'v9'"),
        ({"from": "draft", "to": "v9"}, 404, "'v9'"),
        ({"from": "a\u0000"}, 400, "from"),
        ({"to": "x" * 501}, 400, "to"),
    ],
)
async def test_what_is_not_there_is_named(
    platform: RunningPlatform, query: dict[str, str], status: int, message: str
) -> None:
    prompt = await platform.create()
    answer = await platform.http.get(f"/api/prompts/{prompt['id']}/diff", params=query)
    assert answer.status_code == status, answer.text
    assert message in answer.json().get("error", "")


def patched(before: str, diff_text: str) -> str:
    """What `patch` would make of it: contexts and removed lines must be where the hunks say."""
    old = re.findall(r"[^\n]*\n|[^\n]+", before)
    new: list[str] = []
    at = 0
    lines = diff_text.split("\n")[2:-1]
    while lines:
        header = re.fullmatch(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@", lines.pop(0))
        assert header
        start, removed, start_new, added = (int(number) for number in header.groups())
        begin = start - 1 if removed else start
        new += old[at:begin]
        at = begin
        assert len(new) == (start_new - 1 if added else start_new)
        while removed or added:
            sign, text = lines[0][0], lines.pop(0)[1:] + "\n"
            if lines and lines[0].startswith("\\"):
                lines.pop(0)
                text = text[:-1]
            if sign != "+":
                assert old[at] == text
                at, removed = at + 1, removed - 1
            if sign != "-":
                new.append(text)
                added -= 1
    return "".join(new + old[at:])


LINES = st.lists(st.sampled_from(["", "a", "b", "\r", "-", "+x", "\u2028", "@@ -1,1 +1,1 @@"]))
CONTENTS = st.tuples(LINES, st.booleans()).map(
    lambda made: "\n".join(made[0]) + ("\n" if made[1] else "")
)


@given(before=CONTENTS, after=CONTENTS)
def test_a_patch_with_the_diff_makes_the_one_of_the_other(before: str, after: str) -> None:
    text = unified(before, after, "a", "b")
    assert (text == "") == (before == after)
    if text:
        assert patched(before, text) == after


@given(
    shared=st.lists(st.sampled_from("xyz"), max_size=8),
    number=st.integers(MOST_LINES, MOST_LINES + 3),
    last=st.sampled_from(["", "\n", "\nend", "\nend\n"]),
)
def test_so_does_one_of_texts_too_long_to_be_aligned(
    shared: list[str], number: int, last: str
) -> None:
    before = "\n".join([*shared, *(f"old {line}" for line in range(number))]) + last
    after = "\n".join([*shared, *(f"new {line}" for line in range(number + 1))]) + last
    assert patched(before, unified(before, after, "a", "b")) == after


MESSAGES = st.lists(st.sampled_from([SYSTEM, USER, USER | {"role": "assistant"}]), max_size=6)


@given(before=MESSAGES, after=MESSAGES)
def test_the_changes_of_messages_lead_from_one_to_the_other(
    before: list[dict[str, str]], after: list[dict[str, str]]
) -> None:
    changes = compare(Body(messages=before), Body(messages=after), from_="a", to="b").messages
    gone = {change.before_index for change in changes}
    kept = [item for index, item in enumerate(before) if index not in gone]
    placed = {change.after_index: change.after for change in changes if change.after}
    left = iter(kept)
    rebuilt = [placed.get(index) or next(left) for index in range(len(after))]
    assert rebuilt == after
    assert list(left) == []


async def test_what_an_older_release_published_may_be_labelled_draft(
    platform: RunningPlatform,
) -> None:
    prompt = await platform.create(content="one")
    await platform.publish(prompt["id"])
    async with platform.platform.database.write() as transaction:
        of_prompt = PromptVersionRow.prompt_id == prompt["id"]
        renamed = update(PromptVersionRow).where(of_prompt).values(version="draft")
        await transaction.session.execute(renamed)
    await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "two"})
    assert "-one" in (await diff(platform, prompt["id"]))["content"]
