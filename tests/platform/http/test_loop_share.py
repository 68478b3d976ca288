"""Floods take a bounded share of the event loop."""

import asyncio

import pytest

from harness.callers import new_account
from harness.held_model import held_model
from harness.platform import RunningPlatform, until
from promptops_platform.db.turns import WriterTurns
from promptops_platform.http import loop_share
from promptops_platform.http.loop_share import LoopShare


async def test_while_something_is_edited_floods_wait() -> None:
    edits = WriterTurns()
    share = LoopShare(edits)
    with edits.foreground():
        entering = asyncio.create_task(share.enter("ada"))
        await asyncio.sleep(0)
        assert not entering.done()
    await entering


async def test_a_call_that_waits_for_its_model_keeps_no_place(platform: RunningPlatform) -> None:
    account = await new_account(platform)
    async with held_model() as model, platform.client(account.token) as client:
        held = {"content": "Say hello.", **model.target}
        waiting = [
            asyncio.create_task(client.post("/api/playground/run", json=held, timeout=90))
            for _ in range(6)
        ]
        places = platform.platform.playground.asker._places
        await until(lambda: places._callers[account.id] == 6)
        assert (await client.post("/api/playground/run", json={"content": "x"})).status_code == 200
        model.hold.release()
        assert {(await answer).status_code for answer in waiting} == {200}


@pytest.mark.parametrize(
    ("path", "is_gated"),
    [
        ("/api/login", True),
        ("/api/me/password", True),
        ("/api/playground/run", True),
        ("/api/agents/1/run", True),
        ("/api/workflows/1/run", True),
        ("/api/agents/1", False),
        ("/api/prompts/1", False),
        ("/api/sdk/prompts/greeting", False),
    ],
)
def test_what_may_come_in_floods(path: str, is_gated: bool) -> None:
    assert bool(loop_share.FLOOD_PATHS.fullmatch(path)) == is_gated
