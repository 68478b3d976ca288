"""The fakes that users' tests use."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from harness.processes import WAIT_SECONDS
from promptops import (
    Deletion,
    NotFoundError,
    PromptOpsClient,
    ServerUnreachableError,
    Update,
)
from promptops.testing import AsyncFakePromptOps, FakePromptOps

CHAT = {"messages": [{"role": "system", "content": "Be {{how}}."}], "config": {"temperature": 0}}
ROLLOUT = {"salt": "s", "variants": [{"name": "A", "weight": 10_000, "content": "of A"}]}


def test_serves_texts_and_whole_prompts() -> None:
    prompts = {"greeting": "Hello {{who}}!", "chat": CHAT}
    with FakePromptOps(prompts) as fake:
        assert isinstance(fake, PromptOpsClient)
        assert fake.render("greeting", {"who": "Ada"}) == "Hello Ada!"
        assert fake.get_prompt("greeting")["source"] == "memory"
        messages = [{"role": "system", "content": "Be brief."}]
        assert fake.render_messages("chat", {"how": "brief"}) == messages
        assert fake.get_prompt("chat")["config"] == {"temperature": 0}
        with pytest.raises(NotFoundError, match="missing"):
            fake.get_prompt("missing")
        assert fake.render("missing", default="d") == "d"
        assert fake.server.asked == ["greeting", "chat", "missing", "missing"]
    assert not [t for t in threading.enumerate() if t.name.startswith("promptops")]


def test_a_watching_fake_notifies_of_changes_immediately() -> None:
    updates: list[Update] = []
    with FakePromptOps({"greeting": "one"}) as fake:
        fake.set("greeting", "two")
        assert fake.render("greeting") == "two"
        fake.watch(updates.append)
        fake.set("greeting", {"content": "served", "rollout": ROLLOUT})
        assert fake.get_prompt("greeting", subject="s")["content"] == "of A"
        assert [(update["key"], update["prompt"]["variant"]) for update in updates] == [
            ("greeting", "A")
        ]
        deletions: list[Deletion] = []
        fake.on_delete(deletions.append)
        fake.remove("greeting")
        assert [(update["key"], update["event"]["type"]) for update in deletions] == [
            ("greeting", "prompt.deleted")
        ]
        with pytest.raises(NotFoundError):
            fake.render("greeting")


def test_a_failure_simulates_an_unreachable_server() -> None:
    with FakePromptOps({"greeting": "one"}) as fake:
        assert fake.render("greeting") == "one"
        fake.server.failure = ServerUnreachableError("gone")
        assert fake.get_prompt("greeting", refresh=True)["source"] == "memory"
        with pytest.raises(ServerUnreachableError, match="gone"):
            fake.render("other")


def test_a_fake_opens_nothing_that_would_have_to_be_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "socketpair", lambda: pytest.fail("a pair of sockets"))
    fake = FakePromptOps({"greeting": "one"})
    assert fake.render("greeting") == "one"


async def test_for_asyncio() -> None:
    updates: list[str] = []

    async def on_update(update: Update) -> None:
        updates.append(update["prompt"]["content"])

    async with AsyncFakePromptOps({"greeting": "Hello {{who}}!"}) as fake:
        assert await fake.render("greeting", {"who": "Ada"}) == "Hello Ada!"
        await fake.watch(on_update)
        await fake.set("greeting", "two")
        assert await fake.render("greeting") == "two"
        assert updates == ["two"]
        deletions: asyncio.Queue[str] = asyncio.Queue()

        async def note(deletion: Deletion) -> None:
            await deletions.put(deletion["key"])

        fake.on_delete(note)
        await fake.remove("greeting")
        assert await asyncio.wait_for(deletions.get(), WAIT_SECONDS) == "greeting"
        with pytest.raises(NotFoundError):
            await fake.get_prompt("greeting")
