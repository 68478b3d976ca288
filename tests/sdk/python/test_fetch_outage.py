"""Without a watch, the log shows when prompts can't be fetched, and when they can again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.processes import eventually
from harness.sdk_server import SdkServer
from promptops import AsyncPromptOpsClient, PromptOpsClient, ServerError, ServerUnreachableError
from promptops.fetch_outage import FetchOutage

MakeClient = Callable[..., PromptOpsClient]
LOST, BACK = "prompts can't be fetched, copies or defaults", "prompts can be fetched again"


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings, each as its first known phrase."""
    texts = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    return [next((line for line in (LOST, BACK) if line in text), text) for text in texts]


def test_one_warning_for_each_outage_and_one_for_its_end(
    server: SdkServer, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(max_age=0.0)
    for key in ("a", "b", "c"):
        server.put(key, "text")
        client.get_prompt(key)
    server.stop()
    for key in ("a", "b", "c", "a"):
        assert client.get_prompt(key, refresh=True)["source"] == "memory"
    assert lines(caplog) == [LOST]
    server.start()
    client.get_prompt("a", refresh=True)
    client.get_prompt("b", refresh=True)
    assert lines(caplog) == [LOST, BACK]
    server.stop()
    client.get_prompt("a", refresh=True)
    assert lines(caplog) == [LOST, BACK, LOST]
    server.start()


async def test_the_same_for_asyncio(server: SdkServer, caplog: pytest.LogCaptureFixture) -> None:
    async with AsyncPromptOpsClient(server.url) as client:
        server.bodies["a"] = server.bodies["b"] = (503, b"")
        assert await client.render("a", default="d") == "d"
        assert await client.render("b", default="d") == "d"
        assert lines(caplog) == [LOST]
        server.bodies.clear()
        server.put("a", "text")
        server.put("b", "text")
        await client.get_prompt("a", refresh=True)
        assert lines(caplog) == [LOST]
        await client.get_prompt("b", refresh=True)
        assert lines(caplog) == [LOST, BACK]


def test_a_refused_prompt_keeps_failing_when_another_one_succeeds(
    server: SdkServer, client: PromptOpsClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.bodies["bad"] = (500, b"")
    server.put("good", "text")
    for _ in range(3):
        client.render("bad", default="d")
        client.get_prompt("good", refresh=True)
    assert lines(caplog) == [LOST]


def test_a_watch_without_a_connection_logs_the_outage_itself(
    server: SdkServer, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client()
    server.put("a", "text")
    client.get_prompt("a")
    client.watch()
    server.watcher()
    server.stop()
    eventually(lambda: any("hot reload stopped" in line for line in lines(caplog)))
    client.get_prompt("a", refresh=True)
    assert LOST not in lines(caplog)
    server.start()


def test_a_failure_of_long_ago_does_not_hide_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    monkeypatch.setattr("promptops.fetch_outage.time.monotonic", lambda: now)
    outages = FetchOutage()
    outages.record_failure("asked for once", ServerError(500, "x"))
    now = 50.0
    outages.record_failure("other", ServerError(500, "x"))
    outages.record_success("third")
    assert lines(caplog) == [LOST]
    now = 61.0
    outages.record_success("other")
    assert lines(caplog) == [LOST, BACK]
    outages.record_failure("a", ServerUnreachableError("gone"))
    outages.record_failure("b", ServerUnreachableError("gone"))
    outages.record_success("c")
    assert lines(caplog) == [LOST, BACK] * 2


def test_an_unwritable_folder_is_one_line(
    server: SdkServer, make_client: MakeClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    client = make_client(cache_dir=tmp_path / "file" / "cache")
    for key in ("a", "b", "c"):
        server.put(key, "text")
        assert client.render(key) == "text"
    assert len(lines(caplog)) == 1
    assert str(tmp_path / "file" / "cache") in caplog.text
