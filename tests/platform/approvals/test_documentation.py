"""The definition and the commands of docs/approvals.md, carried out."""

import json

from harness.approvals import approval, waiting
from harness.detached_runs import ended, submit
from harness.documentation import blocks, needs_a_shell, shell_output
from harness.platform import TOKEN, RunningPlatform
from harness.workflows import running, save_workflow

__all__ = ["running"]


@needs_a_shell
async def test_the_page_does_what_it_says(running: RunningPlatform) -> None:
    (definition,) = blocks("approvals.md", "json")
    deciding, reminding, linking = [
        block.replace("localhost:8080", f"127.0.0.1:{running.port}").replace(
            "promptops-dev-token", TOKEN
        )
        for block in blocks("approvals.md")
    ]
    steps = json.loads(definition)["steps"]
    steps[1]["allow_link"] = True
    workflow = await save_workflow(running, steps)
    api, approve = deciding.split("\n\n")[0], deciding.splitlines()[3]
    await shell_output(f"{api}\n{reminding}".replace("example.org", "127.0.0.1:9"))
    for use in ("account", "link"):
        run_id = await submit(running, workflow, variables={"mail": "Where is it?"})
        asked = await waiting(running, run_id)
        if use == "account":
            await shell_output(f"{api}\n{approve}", id=asked["id"])
        else:
            make, decide = linking.splitlines()
            made = json.loads(await shell_output(f"{api}\n{make}", id=asked["id"]))["data"]
            url = made["url"].replace(":8080", f":{running.port}")
            await shell_output(decide, url=url)
        now = await approval(running, asked["id"])
        assert now["state"] == "approved", now
        assert (await ended(running, run_id))["output"].startswith("Your order: ")
