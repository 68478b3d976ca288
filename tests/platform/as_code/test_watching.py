"""A folder and a server that change at the same time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from harness.people import new_workspace, sent
from harness.platform import TOKEN, RunningPlatform, until
from promptops_platform.as_code.folder import Folder
from promptops_platform.as_code.remote import Remote
from promptops_platform.as_code.sync import Sync, SyncOptions
from promptops_platform.as_code.watching import Watch

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


class Watched:
    """A folder that is being watched, and the lines that were said."""

    def __init__(self, platform: RunningPlatform, folder: Path, workspace: str) -> None:
        self.workspace = workspace
        self.path = folder / "prompts/prod/greeting.prompt"
        self.lines: list[str] = []
        self.remote = Remote(f"http://127.0.0.1:{platform.port}", TOKEN, workspace)
        address = f"ws://127.0.0.1:{platform.port}/ws"
        self.watch = Watch(
            folder,
            lambda say: Sync(Folder(folder), self.remote, say),
            address,
            TOKEN,
            self.lines.append,
        )


@pytest_asyncio.fixture
async def watched(platform: RunningPlatform, tmp_path: Path) -> AsyncIterator[Watched]:
    watched = Watched(platform, tmp_path, await new_workspace(platform))
    running = asyncio.create_task(asyncio.to_thread(watched.watch.run, SyncOptions()))
    yield watched
    watched.watch.stop()
    await running
    watched.remote.close()


async def test_both_sides_follow_each_other(watched: Watched, platform: RunningPlatform) -> None:
    workspace = watched.workspace
    prompt = await platform.create("greeting", env="prod", content="Hello", workspace=workspace)
    await until(watched.path.exists)
    text = watched.path.read_text()
    watched.path.write_text(text.replace("Hello", "From the folder"))

    async def content() -> str:
        row = (await platform.http.get(f"/api/prompts/{prompt['id']}")).json()["data"]
        return str(row["content"])

    async with asyncio.timeout(30):
        while await content() != "From the folder":
            await asyncio.sleep(0.05)
    path = f"/api/prompts/{prompt['id']}"
    sent(await platform.http.put(path, json={"content": "From the server"}))
    await until(lambda: "From the server" in watched.path.read_text())


async def test_a_mistake_is_said_once_and_mended(
    watched: Watched, platform: RunningPlatform
) -> None:
    watched.path.parent.mkdir(parents=True)
    watched.path.write_text("{{#if x}}")
    await until(lambda: any("is a block" in line for line in watched.lines))
    (watched.path.parent / "other.prompt").write_text("Hello")
    watched.path.write_text("Hello {{who}}")
    await until(
        lambda: any("greeting (prod): new in the folder, pushed" in line for line in watched.lines)
    )
    assert len([line for line in watched.lines if "is a block" in line]) == 1
