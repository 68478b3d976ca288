"""Conversations on a platform that may not store their texts as they are."""

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr
from sqlalchemy import text

from harness.agents import run_agent, save_agent, use_engine
from harness.engine import EngineProcess
from harness.people import sent
from harness.platform import DatabaseKind, RunningPlatform, new_settings, running_platform
from harness.postgres import Postgres
from promptops_platform.access.actor import SYSTEM
from promptops_platform.agents.conversations import Resealed
from promptops_platform.clock import SystemClock
from promptops_platform.errors import StartRefused
from promptops_platform.lifecycle import Platform
from promptops_platform.sealing import KEY_FILE
from promptops_platform.settings import Settings

OLD, NEW = (base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))
EMAIL = "ada@private.example"
SAID = f"zebra of {EMAIL}"


def with_keys(settings: Settings, *keys: str) -> Settings:
    return settings.model_copy(update={"secret_key": SecretStr(",".join(keys))})


async def refused(settings: Settings, words: str) -> None:
    """A platform with these settings does not start, and says so."""
    platform = Platform(settings, SystemClock())
    with pytest.raises(StartRefused, match=words):
        await platform.prepare()
    await platform.stop()


@asynccontextmanager
async def keeping(
    settings: Settings, engine: EngineProcess, *keys: str, **changes: Any
) -> AsyncIterator[RunningPlatform]:
    """A platform with these secret keys and settings."""
    changed = with_keys(settings, *keys).model_copy(update=changes)
    async with running_platform(changed) as platform:
        use_engine(platform, engine)
        yield platform


@pytest_asyncio.fixture
async def settings(database_kind: DatabaseKind, postgres: Postgres, data_folder: Path) -> Settings:
    return await new_settings(database_kind, postgres, data_folder, engine_wait_seconds=60)


async def echo(platform: RunningPlatform) -> dict[str, Any]:
    return await save_agent(platform, prompt="", model="mock-echo")


async def say(
    platform: RunningPlatform, agent: Mapping[str, Any], words: str, name: str = "c"
) -> dict[str, Any]:
    answer = await run_agent(platform, dict(agent), input=words, conversation_id=name)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def read(platform: RunningPlatform, agent: Mapping[str, Any], name: str = "c") -> list[str]:
    url = f"/api/agents/{agent['id']}/conversations/{name}"
    conversation = sent(await platform.http.get(url))
    return [message["content"] for message in conversation["newest"]]


async def stored(platform: RunningPlatform) -> str:
    """What the tables of conversations hold."""
    rows: list[Any] = []
    async with platform.platform.database.read() as transaction:
        for table in ("conversations", "conversation_messages"):
            rows += await transaction.session.execute(text(f"SELECT * FROM {table}"))
    return "\n".join(str(tuple(row)) for row in rows)


async def remembered(platform: RunningPlatform, agent: Mapping[str, Any], name: str = "c") -> str:
    """What the agent's next run is told of the conversation."""
    async with platform.platform.database.read() as transaction:
        row = await platform.platform.agents.service.get(transaction, agent["id"], actor=SYSTEM)
        seen = await platform.platform.agents.conversations.load(
            transaction, row, name, None, actor=SYSTEM
        )
    return "|".join(message.content for message in seen.history)


async def test_turns_are_sealed_and_seen_by_the_agent_alone(
    settings: Settings, engine: EngineProcess
) -> None:
    async with keeping(settings, engine, OLD, run_texts="none") as platform:
        agent = await echo(platform)
        await say(platform, agent, SAID)
        assert await remembered(platform, agent) == f"{SAID}|{SAID}"
        assert await read(platform, agent) == ["", ""]
        assert "zebra" not in await stored(platform)
        url = f"/api/agents/{agent['id']}/conversations/c"
        assert (await platform.http.delete(url)).status_code == 200
        assert await remembered(platform, agent) == ""
    async with keeping(settings, engine, OLD, run_redact="email") as platform:
        await say(platform, agent, SAID)
        assert await read(platform, agent) == ["zebra of [redacted:email]"] * 2
        assert await remembered(platform, agent) == f"{SAID}|{SAID}"
        assert "zebra" not in await stored(platform)


async def test_a_conversation_goes_on_when_the_setting_changes(
    settings: Settings, engine: EngineProcess
) -> None:
    async with keeping(settings, engine, OLD) as platform:
        agent = await echo(platform)
        await say(platform, agent, "one")
        assert "one" in await stored(platform)
    async with keeping(settings, engine, OLD, run_texts="none") as platform:
        await say(platform, agent, "two")
    async with keeping(settings, engine, OLD) as platform:
        await say(platform, agent, "three")
        assert await read(platform, agent) == ["one"] * 2 + ["two"] * 2 + ["three"] * 2
        assert await remembered(platform, agent) == "one|one|two|two|three|three"


async def test_an_id_that_may_not_be_stored_gets_a_pseudonym(
    settings: Settings, engine: EngineProcess
) -> None:
    async with keeping(settings, engine, OLD, run_redact="email") as platform:
        agent, other = await echo(platform), await echo(platform)
        result = await say(platform, agent, "one", EMAIL)
        assert result["conversation_id"] == EMAIL
        await say(platform, agent, "two", EMAIL)
        await say(platform, other, "elsewhere", EMAIL)
        assert EMAIL not in await stored(platform)
        url = f"/api/agents/{agent['id']}/conversations"
        (listed,) = (await platform.http.get(url)).json()["data"]
        assert listed["id"].startswith("redacted:")
        (elsewhere,) = (await platform.http.get(f"/api/agents/{other['id']}/conversations")).json()[
            "data"
        ]
        assert elsewhere["id"] != listed["id"]
        # Both ids lead to it.
        await say(platform, agent, "three", listed["id"])
        for name in (EMAIL, listed["id"]):
            assert len(await read(platform, agent, name)) == 6
        assert (await platform.http.delete(f"{url}/{EMAIL}")).status_code == 200
        assert (await platform.http.get(f"{url}/{listed['id']}")).status_code == 404


async def test_a_rotation_seals_turns_anew_or_forgets_what_it_cant_read(
    settings: Settings, engine: EngineProcess
) -> None:
    async with keeping(settings, engine, OLD, run_texts="none") as platform:
        agent = await echo(platform)
        for name in ("c", "d"):
            await say(platform, agent, SAID, name)
    async with keeping(settings, engine, NEW, OLD, run_texts="none") as platform:
        assert await rotate(platform, forget=False) == (4, 0)
    async with keeping(settings, engine, NEW, run_texts="none") as platform:
        assert await remembered(platform, agent, "d") == f"{SAID}|{SAID}"
    lost = with_keys(settings, OLD)
    await refused(lost, "were encrypted with another secret key")
    platform_of_lost = Platform(lost, SystemClock())
    async with platform_of_lost.database.write() as transaction:
        conversations = platform_of_lost.agents.conversations
        with pytest.raises(StartRefused):
            await conversations.rotate(transaction, forget=False)
        assert await conversations.rotate(transaction, forget=True) == Resealed(0, 2)
    await platform_of_lost.stop()
    async with keeping(settings, engine, OLD, run_texts="none") as platform:
        url = f"/api/agents/{agent['id']}/conversations"
        assert (await platform.http.get(url)).json()["total"] == 0


async def test_a_missing_secret_key_is_not_replaced_beside_sealed_turns(
    settings: Settings, engine: EngineProcess
) -> None:
    async with running_platform(settings.model_copy(update={"run_texts": "none"})) as platform:
        use_engine(platform, engine)
        await say(platform, await echo(platform), SAID)
    key = settings.data / KEY_FILE
    key.unlink()
    await refused(settings, f"{key} is missing, and conversations in this database need it")
    assert not key.exists()


async def test_a_sealed_turn_is_read_at_its_own_place_only(
    settings: Settings, engine: EngineProcess
) -> None:
    async with keeping(settings, engine, OLD, run_texts="none") as platform:
        agent = await echo(platform)
        for name in ("c", "d"):
            await say(platform, agent, name, name)
        async with platform.platform.database.write() as transaction:
            await transaction.session.execute(
                text(
                    "UPDATE conversation_messages SET sealed = (SELECT min(sealed) FROM "
                    "conversation_messages WHERE position = 0) WHERE position = 0"
                )
            )
        answers = [
            await run_agent(platform, agent, input="x", conversation_id=name) for name in ("c", "d")
        ]
        assert sorted(answer.status_code for answer in answers) == [200, 503]


async def rotate(platform: RunningPlatform, *, forget: bool) -> tuple[int, int]:
    async with platform.platform.database.write() as transaction:
        resealed = await platform.platform.agents.conversations.rotate(transaction, forget=forget)
    return resealed.turns, resealed.deleted
