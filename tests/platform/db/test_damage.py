"""Pages and values of the database that are damaged while the platform runs: 503, never 500."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from harness.callers import login
from harness.platform import TOKEN, RunningPlatform, new_key, running_platform
from promptops_platform.settings import Settings

pytestmark = pytest.mark.trial

TABLES = (
    "prompts",
    "prompt_versions",
    "prompt_search",
    "prompt_history",
    "rollouts",
    "users",
    "api_keys",
    "runs",
    "audit_entries",
    "workspaces",
    "environments",
    "agents",
    "workflows",
    "provider_connections",
)
SWAP = """
import sys
with open(sys.argv[1], "r+b") as file:
    content = sys.stdin.buffer.read()
    file.seek(int(sys.argv[2]))
    sys.stdout.buffer.write(file.read(len(content)))
    file.seek(int(sys.argv[2]))
    file.write(content)
"""
GARBAGE = b"\xa5"


class Pages:
    """The pages of a database file, behind the platform's back."""

    def __init__(self, file: Path) -> None:
        self._file = file
        with closing(sqlite3.connect(file)) as connection:
            (self._size,) = connection.execute("PRAGMA page_size").fetchone()

    def roots(self) -> dict[str, int]:
        """The first page of each table and index, by name."""
        query = "SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0"
        with closing(sqlite3.connect(self._file)) as connection:
            return dict(connection.execute(query).fetchall())

    @asynccontextmanager
    async def damaged(self, page: int) -> AsyncIterator[None]:
        """Overwrite a page until the block ends."""
        kept = await asyncio.to_thread(self._replace, page, GARBAGE * self._size)
        yield
        await asyncio.to_thread(self._replace, page, kept)

    def _replace(self, page: int, content: bytes) -> bytes:
        """What the page held before."""
        with closing(sqlite3.connect(self._file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        kept = self._swap(page, content)
        # Whoever has pages in memory reads them anew.
        with closing(sqlite3.connect(self._file)) as connection:
            connection.execute("PRAGMA user_version = 1")
        return kept

    def _swap(self, page: int, content: bytes) -> bytes:
        # In a process of its own: closing the file here would end SQLite's locks on it.
        command = [sys.executable, "-S", "-c", SWAP, self._file, str((page - 1) * self._size)]
        return subprocess.run(command, input=content, capture_output=True, check=True).stdout


async def asked(platform: RunningPlatform, prompt_id: str) -> list[httpx.Response]:
    """Requests to all rooms."""
    http, prompt = platform.http, f"/api/prompts/{prompt_id}"
    reads = [
        "/api/prompts",
        "/api/prompts?q=some+text",
        prompt,
        f"{prompt}/versions",
        f"{prompt}/history",
        f"{prompt}/rollout",
        "/api/workflows",
        "/api/agents",
        "/api/providers",
        "/api/keys",
        "/api/users",
        "/api/workspaces",
        "/api/workspaces/default/environments",
        "/api/audit",
        "/api/runs",
        "/api/runs/stats",
        "/api/clients",
        "/ready",
        "/metrics",
    ]
    answers = [await http.get(url) for url in reads]
    answers.append(await http.put(prompt, json={"content": "again"}))
    answers.append(await http.post("/api/prompts", json={"key": new_key()}))
    answers.append(await http.post("/api/prompts/publish", json={"id": prompt_id}))
    body = {"content": "Hi", "provider": "mock"}
    answers.append(await http.post("/api/playground/run", json=body))
    return answers


async def test_no_damaged_page_is_a_fault_of_ours(data_folder: Path) -> None:
    settings = Settings(data=data_folder, token=SecretStr(TOKEN))
    async with running_platform(settings) as platform:
        prompt = await platform.create(env="prod", content="some text")
        await platform.publish(prompt["id"])
        pages = Pages(data_folder / "promptops.db")
        refused: dict[str, list[httpx.Response]] = {}
        roots = pages.roots()
        for name in TABLES:
            async with pages.damaged(roots[name]):
                answers = await asked(platform, prompt["id"])
            refused[name] = [answer for answer in answers if answer.status_code >= 500]
            for answer in refused[name]:
                assert answer.status_code == 503, (name, answer.request.url, answer.text)
        bodies = [answer.json() for answers in refused.values() for answer in answers]
        assert {body["code"] for body in bodies if "parts" not in body} == {"database_unavailable"}
        assert any("Restore it from a backup" in body["error"] for body in bodies)
        saved = await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "after"})
        assert saved.status_code == 200, saved.text


async def test_a_login_on_a_damaged_page_is_a_503(data_folder: Path) -> None:
    settings = Settings(data=data_folder, token=SecretStr(TOKEN))
    async with running_platform(settings) as platform:
        pages = Pages(data_folder / "promptops.db")
        async with pages.damaged(pages.roots()["users"]):
            answer = await login(platform, username="admin", password="admin")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")


@pytest.mark.parametrize(
    ("column", "value"),
    [("config", "'{\"temperature'"), ("created_at", "'yesterday'"), ("messages", "'\\'")],
)
async def test_a_value_that_is_none_is_a_503(data_folder: Path, column: str, value: str) -> None:
    settings = Settings(data=data_folder, token=SecretStr(TOKEN))
    async with running_platform(settings) as platform:
        prompt = await platform.create(env="prod", content="some text")
        await spoil(platform, f"UPDATE prompts SET {column} = {value}")
        answer = await platform.http.get(f"/api/prompts/{prompt['id']}")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")


async def spoil(platform: RunningPlatform, statement: str) -> Any:
    async with platform.platform.database.write() as transaction:
        await transaction.session.execute(text(statement))
