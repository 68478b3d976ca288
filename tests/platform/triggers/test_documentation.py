"""The commands of docs/triggers.md, carried out."""

import json

from harness.documentation import blocks, needs_a_shell, shell_output
from harness.platform import TOKEN, RunningPlatform
from harness.triggers import deliveries, new_trigger


@needs_a_shell
async def test_the_commands_of_the_page_do_what_it_says(platform: RunningPlatform) -> None:
    making, signing = blocks("triggers.md")
    here = making.replace("localhost:8080", f"127.0.0.1:{platform.port}")
    made = await shell_output(here.replace("promptops-dev-token", TOKEN))
    trigger = json.loads(made[made.rindex('{"data"') :])["data"]
    await platform.publish((await platform.create("greeting-of-the-page", env="prod"))["id"])
    (delivery,) = await deliveries(platform, trigger)
    assert delivery["event"]["key"] == "greeting-of-the-page"

    inbound = await new_trigger(platform, {"webhook": True})
    url = inbound["url"].replace(":8080", f":{platform.port}")
    received = await shell_output(signing, URL=url, SECRET=inbound["secret"])
    (delivery,) = await deliveries(platform, inbound)
    assert json.loads(received) == {"data": {"id": delivery["id"]}}
    assert delivery["event"]["id"] == "msg_1"
