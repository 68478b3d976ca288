"""A reader of the README and of the tutorial, who copies every command, sees what they say."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest
import pytest_asyncio
from pydantic import SecretStr

from harness.engine import EngineProcess, use_engine
from harness.platform import RunningPlatform, new_data_folder, new_settings, running_platform
from harness.walks import ROOT, Program, Shell, blocks, program
from promptops_platform.settings import DEFAULT_TOKEN

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "curl", "sed"))), reason="needs a shell's usual tools"
)


@pytest_asyncio.fixture(scope="module")
async def own_machine(engine: EngineProcess) -> AsyncIterator[RunningPlatform]:
    """A platform with the token of the first start, as the pages name it."""
    data = new_data_folder()
    token = SecretStr(DEFAULT_TOKEN)
    settings = await new_settings("sqlite", None, data, token=token, engine_wait_seconds=60)
    async with running_platform(settings) as platform:
        use_engine(platform, engine)
        yield platform
    shutil.rmtree(data)


@pytest.mark.parametrize(
    ("page", "last"),
    [
        ("README.md", '"output":"[MOCK COMPLETION] WRITE A WELCOME FOR ADA."'),
        ("docs/tutorial.md", '"ref_key":"two-views"'),
    ],
)
async def test_the_walk_of_a_page(own_machine: RunningPlatform, page: str, last: str) -> None:
    printed = await asyncio.to_thread(walked, page, f"127.0.0.1:{own_machine.port}")
    assert last in printed


def walked(page: str, address: str) -> str:
    """What the last commands of a page print."""
    printed = ""
    with ExitStack() as stack:
        shell = Shell(address)
        stack.callback(shell.close)
        running: Program | None = None
        for kind, text in blocks(ROOT / page):
            if kind == "text":
                assert running is not None
                running.shows(text)
            elif kind.endswith("program"):
                running = stack.enter_context(program(text, address))
            else:
                printed = shell.run(text)
                assert re.search(r'"error":"[^"]', printed) is None, printed
    return printed
