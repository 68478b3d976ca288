"""The fakes that users' tests use."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

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


def test_changes_are_told_at_once_to_one_that_watches() -> None:
    told: list[Update] = []
    with FakePromptOps({"greeting": "one"}) as fake:
        fake.set("greeting", "two")
        assert fake.render("greeting") == "two"
        fake.watch(told.append)
        fake.set("greeting", {"content": "served", "rollout": ROLLOUT})
        assert fake.get_prompt("greeting", subject="s")["content"] == "of A"
        assert [(each["key"], each["prompt"]["variant"]) for each in told] == [("greeting", "A")]
        gone: list[Deletion] = []
        fake.on_delete(gone.append)
        fake.remove("greeting")
        assert [(each["key"], each["event"]["type"]) for each in gone] == [
            ("greeting", "prompt.deleted")
        ]
        with pytest.raises(NotFoundError):
            fake.render("greeting")


def test_a_failure_is_as_that_of_a_server_that_is_gone() -> None:
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
    told: list[str] = []

    async def on_update(update: Update) -> None:
        told.append(update["prompt"]["content"])

    async with AsyncFakePromptOps({"greeting": "Hello {{who}}!"}) as fake:
        assert await fake.render("greeting", {"who": "Ada"}) == "Hello Ada!"
        await fake.watch(on_update)
        await fake.set("greeting", "two")
        assert await fake.render("greeting") == "two"
        assert told == ["two"]
        gone: asyncio.Queue[str] = asyncio.Queue()

        async def note(deletion: Deletion) -> None:
            await gone.put(deletion["key"])

        fake.on_delete(note)
        await fake.remove("greeting")
        assert await asyncio.wait_for(gone.get(), 5) == "greeting"
        with pytest.raises(NotFoundError):
            await fake.get_prompt("greeting")
