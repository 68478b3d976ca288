"""`promptops pull`, `diff` and `push` against a running platform."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.commands import promptops
from harness.people import new_api_key, new_workspace, sent
from harness.platform import TOKEN, RunningPlatform

# The commands know only the API, which is the same on each database.
pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

PROMPT = "prompts/prod/greeting.prompt"


class Checkout:
    """A folder beside one workspace of the platform."""

    def __init__(self, platform: RunningPlatform, folder: Path, workspace: str) -> None:
        self.platform = platform
        self.folder = folder
        self.workspace = workspace

    async def run(
        self, command: str, *options: str, token: str = TOKEN, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            "PROMPTOPS_SERVER": f"http://127.0.0.1:{self.platform.port}",
            "PROMPTOPS_WORKSPACE": self.workspace,
            "PROMPTOPS_TOKEN": token,
        }
        path = str(folder or self.folder)
        return await asyncio.to_thread(promptops, command, path, *options, **environment)

    async def create(self, **fields: Any) -> dict[str, Any]:
        return await self.platform.create(
            workspace=self.workspace, **{"key": "greeting", "env": "prod", **fields}
        )

    async def edit(self, prompt: dict[str, Any], content: str) -> None:
        path = f"/api/prompts/{prompt['id']}"
        sent(await self.platform.http.put(path, json={"content": content}))

    async def prompt(self, key: str = "greeting") -> dict[str, Any] | None:
        params = {"workspace": self.workspace}
        rows = (await self.platform.http.get("/api/prompts", params=params)).json()["data"]
        return next((row for row in rows if row["key"] == key), None)

    def replace(self, old: str, new: str) -> None:
        path = self.folder / PROMPT
        path.write_text(path.read_text().replace(old, new))


@pytest.fixture
async def checkout(platform: RunningPlatform, tmp_path: Path) -> Checkout:
    return Checkout(platform, tmp_path / "code", await new_workspace(platform))


async def test_everything_goes_to_a_folder_and_to_another_workspace(checkout: Checkout) -> None:
    http, workspace = checkout.platform.http, checkout.workspace
    chat = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "{{question}}"}]
    await checkout.create(content="Hello {{who}}!", tags="a,b", config={"max_tokens": 9})
    await checkout.create(key="support", env="dev", messages=chat)
    steps = [{"name": "inner", "type": "render", "template": "{{who}}"}]
    workflow = {"key": "flow", "steps": steps, "timeout": "5m", "workspace": workspace}
    sent(await http.post("/api/workflows", json=workflow))
    reference = {"key": "greeting", "env": "prod"}
    agent = {"key": "helper", "prompt_ref": reference, "max_steps": 3, "workspace": workspace}
    sent(await http.post("/api/agents", json=agent))

    pulled = await checkout.run("pull")
    assert pulled.returncode == 0, pulled.stderr
    assert "4 written" in pulled.stdout
    assert (await checkout.run("diff")).returncode == 0
    assert (checkout.folder / PROMPT).read_text().endswith("---\nHello {{who}}!\n")

    other = Checkout(checkout.platform, checkout.folder, await new_workspace(checkout.platform))
    pushed = await other.run("push")
    assert pushed.returncode == 0, pushed.stdout + pushed.stderr
    assert "4 pushed" in pushed.stdout
    assert (await other.run("diff")).stdout == ""
    copy, original = await other.prompt("support"), await checkout.prompt("support")
    assert copy is not None
    assert original is not None
    assert copy["messages"] == original["messages"] == chat
    assert (await other.run("pull")).stdout.startswith("0 written")


async def test_schedules_and_triggers_come_after_what_they_run(checkout: Checkout) -> None:
    http, workspace = checkout.platform.http, checkout.workspace
    steps = [{"name": "inner", "type": "render", "template": "{{who}}"}]
    body = {"key": "report", "steps": steps, "workspace": workspace}
    workflow = sent(await http.post("/api/workflows", json=body))
    sent(await http.post(f"/api/workflows/{workflow['id']}/publish", json={}))
    schedule = {"key": "nightly", "workflow": "report", "env": "dev", "cron": "0 3 * * *"}
    sent(await http.post("/api/schedules", json={**schedule, "workspace": workspace}))
    trigger = {
        "key": "announce",
        "on": {"event": "prompt.published", "key": "greeting*"},
        "run": {"workflow": "report", "variables": {"who": "{{event.key}}"}},
    }
    sent(await http.post("/api/triggers", json={**trigger, "workspace": workspace}))
    pulled = await checkout.run("pull")
    assert "3 written" in pulled.stdout, pulled.stdout + pulled.stderr
    path = checkout.folder / "schedules" / "nightly.yaml"
    assert path.read_text() == "key: nightly\nworkflow: report\nenv: dev\ncron: 0 3 * * *\n"

    other = Checkout(checkout.platform, checkout.folder, await new_workspace(checkout.platform))
    pushed = await other.run("push", "--publish")
    assert "3 pushed" in pushed.stdout, pushed.stdout + pushed.stderr
    assert (await other.run("diff")).stdout == ""
    path.write_text(path.read_text().replace("cron: 0 3 * * *", "interval_seconds: 3600"))
    assert "1 pushed" in (await other.run("push")).stdout
    params = {"workspace": other.workspace}
    (saved,) = (await http.get("/api/schedules", params=params)).json()["data"]
    assert (saved["cron"], saved["interval_seconds"]) == (None, 3600)
    path.unlink()
    assert "1 pushed" in (await other.run("push", "--delete")).stdout
    assert (await http.get("/api/schedules", params=params)).json()["data"] == []


async def test_an_edit_in_the_folder_is_pushed_and_published(checkout: Checkout) -> None:
    prompt = await checkout.create(content="Hello {{who}}!")
    await checkout.platform.publish(prompt["id"])
    await checkout.run("pull")
    checkout.replace("Hello", "Good morning")
    trial = await checkout.run("push", "--dry-run")
    assert (trial.returncode, trial.stdout.splitlines()[0]) == (
        1,
        "prompt greeting (prod): changed in the folder, would be pushed",
    )
    shown = await checkout.run("diff")
    assert shown.returncode == 1
    assert "-Hello {{who}}!\n+Good morning {{who}}!\n" in shown.stdout
    pushed = await checkout.run("push", "--publish", "--note", "kinder")
    assert pushed.returncode == 0, pushed.stdout + pushed.stderr
    assert "pushed, published in prod" in pushed.stdout
    saved = await checkout.prompt()
    assert saved is not None
    assert (saved["content"], saved["published_version"], saved["draft_ahead"]) == (
        "Good morning {{who}}!",
        "v2",
        False,
    )
    assert (await checkout.run("push", "--dry-run")).returncode == 0


async def test_definitions_are_published_in_the_environments_that_are_named(
    checkout: Checkout,
) -> None:
    await checkout.create(content="Hello")
    await checkout.run("pull")
    path = checkout.folder / "workflows" / "flow.yaml"
    path.parent.mkdir()
    path.write_text("steps:\n  - {name: a, type: render, template: hi}\n")

    async def served() -> dict[str, int]:
        params = {"workspace": checkout.workspace}
        (row,) = (await checkout.platform.http.get("/api/workflows", params=params)).json()["data"]
        return dict(row["served"])

    assert "workflow flow: new in the folder, pushed\n" in (await checkout.run("push")).stdout
    assert await served() == {}
    trial = await checkout.run("push", "--publish", "--dry-run")
    assert trial.returncode == 1
    assert "workflow flow: would be published in dev\n" in trial.stdout
    first = await checkout.run("push", "--publish")
    assert "prompt greeting (prod): published in prod\n" in first.stdout
    assert "workflow flow: published in dev\n" in first.stdout
    assert await served() == {"dev": 1}
    assert (await checkout.run("push", "--publish")).stdout.startswith("0 pushed or published")

    path.write_text(path.read_text().replace("hi", "hello"))
    await checkout.create(key="of-others", content="Hi")
    both = await checkout.run("push", "--publish", "--env", "dev", "--env", "prod")
    assert "of-others" not in both.stdout
    assert "pushed, published in dev, published in prod\n" in both.stdout
    assert await served() == {"dev": 2, "prod": 2}
    path.write_text(path.read_text().replace("hello", "hi"))
    again = await checkout.run("push", "--publish", "--env", "prod")
    assert "pushed, published in prod\n" in again.stdout
    assert await served() == {"dev": 2, "prod": 1}
    same = await checkout.run("push", "--publish", "--env", "prod")
    assert same.stdout.startswith("0 pushed or published"), same.stdout


async def test_both_sides_changed(checkout: Checkout) -> None:
    prompt = await checkout.create(content="Hello {{who}}!")
    await checkout.run("pull")
    checkout.replace("Hello", "Mine")
    await checkout.edit(prompt, "Theirs")
    for command in ("pull", "push", "diff"):
        answer = await checkout.run(command)
        assert answer.returncode == 3, answer.stdout
        assert "prompt greeting (prod): changed on both sides" in answer.stdout
    assert "Mine" in (checkout.folder / PROMPT).read_text()
    saved = await checkout.prompt()
    assert saved is not None
    assert saved["content"] == "Theirs"

    assert (await checkout.run("push", "--force")).returncode == 0
    saved = await checkout.prompt()
    assert saved is not None
    assert saved["content"] == "Mine {{who}}!"
    await checkout.edit(prompt, "Theirs again")
    checkout.replace("Mine", "Mine again")
    assert (await checkout.run("pull", "--force")).returncode == 0
    assert "Theirs again" in (checkout.folder / PROMPT).read_text()


async def test_a_deletion_is_carried_out_when_asked_for(checkout: Checkout) -> None:
    await checkout.create(content="Hello")
    await checkout.create(key="other", content="Other")
    await checkout.run("pull")
    (checkout.folder / PROMPT).unlink()
    left = await checkout.run("push")
    assert "deleted in the folder; --delete removes it there" in left.stdout
    assert await checkout.prompt() is not None
    assert (await checkout.run("pull")).returncode == 0
    assert not (checkout.folder / PROMPT).exists()
    assert (await checkout.run("push", "--delete")).returncode == 0
    assert await checkout.prompt() is None

    other = await checkout.prompt("other")
    assert other is not None
    sent(await checkout.platform.http.delete(f"/api/prompts/{other['id']}"))
    path = checkout.folder / "prompts/prod/other.prompt"
    assert "deleted on the server; --delete removes the file" in (await checkout.run("pull")).stdout
    assert path.exists()
    assert (await checkout.run("pull", "--delete")).returncode == 0
    assert not path.exists()


async def test_one_environment_alone(checkout: Checkout) -> None:
    await checkout.create(content="Hello")
    await checkout.create(key="draft", env="dev", content="Draft")
    assert (await checkout.run("pull", "--env", "prod")).stdout.splitlines()[-1][:9] == "1 written"
    assert not (checkout.folder / "prompts/dev").exists()
    assert (await checkout.run("diff", "--env", "prod")).returncode == 0
    assert (await checkout.run("diff")).returncode == 1


async def test_what_the_server_refuses_is_said_and_stops_nothing_else(checkout: Checkout) -> None:
    await checkout.create(content="Hello")
    await checkout.run("pull")
    folder = checkout.folder / "workflows"
    folder.mkdir()
    (folder / "bad.yaml").write_text("steps:\n  - {name: a, type: unknown}\n")
    (folder / "good.yaml").write_text("steps:\n  - {name: a, type: render, template: hi}\n")
    pushed = await checkout.run("push")
    assert pushed.returncode == 2
    assert "workflow bad: not changed:" in pushed.stdout
    assert "workflow good: new in the folder, pushed" in pushed.stdout


async def test_wrong_files_servers_and_keys(checkout: Checkout) -> None:
    await checkout.create(content="Hello")
    await checkout.run("pull")
    checkout.replace("Hello", "{{#if x}}")
    wrong_file = await checkout.run("push")
    assert wrong_file.returncode == 2
    assert f"{PROMPT}: line 5: {{{{#if x}}}} is a block" in wrong_file.stderr
    checked = await asyncio.to_thread(promptops, "check", str(checkout.folder))
    assert (checked.returncode, checked.stderr) == (2, wrong_file.stderr)
    checkout.replace("{{#if x}}", "Changed")
    checked = await asyncio.to_thread(promptops, "check", str(checkout.folder))
    assert (checked.returncode, checked.stdout) == (0, "1 files are valid\n")

    viewer = await new_api_key(checkout.platform, role="viewer", workspace=checkout.workspace)
    refused = await checkout.run("push", token=viewer)
    assert refused.returncode == 2
    assert "answers 403" in refused.stdout
    unknown = await checkout.run("diff", token="nobody")
    assert unknown.returncode == 2
    assert "answers 401" in unknown.stderr
    assert "Set PROMPTOPS_TOKEN" in unknown.stderr
    for command in ("push", "diff"):
        mistyped = await checkout.run(command, folder=checkout.folder / "mistyped")
        assert (mistyped.returncode, "does not exist" in mistyped.stderr) == (2, True)
    away = await checkout.run("diff", "--server", "http://127.0.0.1:9")
    assert away.returncode == 2
    assert "can't be reached" in away.stderr
    saved = await checkout.prompt()
    assert saved is not None
    assert saved["content"] == "Hello"


async def test_one_server_at_two_addresses(checkout: Checkout) -> None:
    await checkout.create(content="Hello")
    await checkout.run("pull")
    checkout.replace("Hello", "Changed")
    address = f"http://localhost:{checkout.platform.port}/"
    pushed = await checkout.run("push", "--server", address)
    assert (pushed.returncode, pushed.stdout.splitlines()[-1][:8]) == (0, "1 pushed")


async def test_a_damaged_memory_is_named(checkout: Checkout) -> None:
    await checkout.create(content="Hello")
    await checkout.run("pull")
    (checkout.folder / ".promptops.json").write_text("{")
    answer = await checkout.run("diff")
    assert answer.returncode == 2
    assert ".promptops.json is damaged" in answer.stderr
