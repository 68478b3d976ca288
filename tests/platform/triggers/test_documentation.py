"""The commands of docs/triggers.md, carried out."""

import asyncio
import json
import re
import shutil
from pathlib import Path

import pytest

from harness.platform import TOKEN, RunningPlatform
from harness.triggers import deliveries, new_trigger

PAGE = Path(__file__).parents[3] / "docs" / "triggers.md"
NEEDED = ("bash", "curl", "openssl", "base64", "od")


@pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason="needs a shell's usual tools")
async def test_the_commands_of_the_page_do_what_it_says(platform: RunningPlatform) -> None:
    making, signing = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    made = await output(making.replace("localhost:8080", f"127.0.0.1:{platform.port}"), TOKEN=TOKEN)
    trigger = json.loads(made[made.rindex('{"data"') :])["data"]
    await platform.publish((await platform.create("greeting-of-the-page", env="prod"))["id"])
    (delivery,) = await deliveries(platform, trigger)
    assert delivery["event"]["key"] == "greeting-of-the-page"

    inbound = await new_trigger(platform, {"webhook": True})
    url = inbound["url"].replace(":8080", f":{platform.port}")
    received = await output(signing, URL=url, SECRET=inbound["secret"])
    (delivery,) = await deliveries(platform, inbound)
    assert json.loads(received) == {"data": {"id": delivery["id"]}}
    assert delivery["event"]["id"] == "msg_1"


async def output(commands: str, **variables: str) -> str:
    """What a shell prints for these commands."""
    assignments = "".join(f"{name}='{value}'\n" for name, value in variables.items())
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-eu",
        "-o",
        "pipefail",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await process.communicate((assignments + commands).encode())
    assert process.returncode == 0, errors.decode()
    return printed.decode()
