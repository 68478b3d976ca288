"""`promptops import ...` against a running platform: what it brings, also when repeated."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.commands import promptops
from harness.langfuse_api import PUBLIC_KEY, SECRET_KEY, FakeLangfuse, fake_langfuse
from harness.people import new_workspace, sent
from harness.platform import (
    TOKEN,
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
)

# The commands know only the API, which is the same on each database.
pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


class Importer:
    """Imports into one workspace of the platform."""

    def __init__(self, platform: RunningPlatform, workspace: str) -> None:
        self.platform = platform
        self.workspace = workspace

    async def run(
        self, kind: str, source: str, *options: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            "PROMPTOPS_SERVER": f"http://127.0.0.1:{self.platform.port}",
            "PROMPTOPS_WORKSPACE": self.workspace,
            "PROMPTOPS_TOKEN": TOKEN,
            "LANGFUSE_PUBLIC_KEY": PUBLIC_KEY,
            "LANGFUSE_SECRET_KEY": SECRET_KEY,
            "PROMPTOPS_SOURCE_TOKEN": TOKEN,
            **environment,
        }
        return await asyncio.to_thread(promptops, "import", kind, source, *options, **environment)

    async def done(self, kind: str, source: str, *options: str) -> str:
        """Import, and import again, which finds everything as it is."""
        plan = await self.run(kind, source, *options)
        assert plan.returncode == 1, plan.stdout + plan.stderr
        assert "Nothing was changed" in plan.stdout
        done = await self.run(kind, source, "--yes", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        again = await self.run(kind, source, *options)
        assert again.returncode == 0, again.stdout + again.stderr
        assert "0 would be imported" in again.stdout
        return done.stdout

    async def prompts(self) -> dict[tuple[str, str], dict[str, Any]]:
        answer = await self.platform.http.get("/api/prompts", params={"workspace": self.workspace})
        return {(row["key"], row["env"]): row for row in answer.json()["data"]}

    async def versions(self, key: str, env: str) -> dict[str, str]:
        id_ = (await self.prompts())[key, env]["id"]
        rows = (await self.platform.http.get(f"/api/prompts/{id_}/versions")).json()["data"]
        return {row["version"]: row["content"] for row in reversed(rows)}


@pytest.fixture
async def importer(platform: RunningPlatform) -> Importer:
    return Importer(platform, await new_workspace(platform))


@pytest.fixture
def langfuse() -> Iterator[FakeLangfuse]:
    with fake_langfuse() as fake:
        yield fake


@pytest.fixture
async def older_server() -> AsyncIterator[RunningPlatform]:
    """One with workspaces of its own."""
    data = new_data_folder()
    async with running_platform(await new_settings("sqlite", None, data)) as running:
        yield running


async def test_a_server_comes_with_versions_rollouts_and_definitions(
    importer: Importer, older_server: RunningPlatform
) -> None:
    http = older_server.http
    importer.workspace = (await new_workspace(older_server))[:8] + "-old"
    body = {"name": "Older", "slug": importer.workspace}
    workspace = sent(await http.post("/api/workspaces", json=body))["id"]
    prompt = await older_server.create(
        "greeting", workspace=workspace, env="prod", content="one", tags="a,b"
    )
    for content, label in (("one", "v1"), ("two", "v2"), ("three", "v3")):
        change = {"content": content, "version": label}
        sent(await http.put(f"/api/prompts/{prompt['id']}", json=change))
        await older_server.publish(prompt["id"])
    body = {"id": prompt["id"], "version": "v2"}
    sent(await http.post("/api/prompts/rollback", json=body))
    rollout = {"enabled": True, "variant_a": "v2", "variant_b": "v3", "weight_a": 70}
    sent(await http.put(f"/api/prompts/{prompt['id']}/rollout", json=rollout))
    sent(await http.put(f"/api/prompts/{prompt['id']}", json={"content": "draft"}))
    steps = [{"name": "", "type": "transform", "op": "upper"}]
    body = {"key": "flow", "steps": steps, "workspace": workspace}
    sent(await http.post("/api/workflows", json=body))
    body = {"key": "helper", "prompt": "Help {{who}}", "workspace": workspace}
    sent(await http.post("/api/agents", json=body))

    url = f"http://127.0.0.1:{older_server.port}"
    printed = await importer.done("promptops", url)
    assert "prompt greeting (prod): new, 3 versions, serves v2, imported" in printed
    assert await importer.versions("greeting", "prod") == {"v1": "one", "v2": "two", "v3": "three"}
    imported = (await importer.prompts())["greeting", "prod"]
    assert (imported["content"], imported["tags"]) == ("draft", "a,b")
    assert imported["published_version"] == "v2"
    there = await importer.platform.http.get(f"/api/prompts/{imported['id']}/rollout")
    assert rollout.items() <= there.json()["data"].items()
    rows = (await importer.platform.http.get("/api/workspaces")).json()["data"]
    assert [row["implicit_lookup"] for row in rows if row["slug"] == importer.workspace] == [True]
    params = {"workspace": importer.workspace}
    agents = (await importer.platform.http.get("/api/agents", params=params)).json()["data"]
    assert [agent["prompt"] for agent in agents] == ["Help {{who}}"]

    # What happens there later comes with the next import; what was changed here is left alone.
    sent(await http.put(f"/api/prompts/{prompt['id']}", json={"version": "v4"}))
    await older_server.publish(prompt["id"])
    again = await importer.run("promptops", url, "--yes")
    assert again.returncode == 0, again.stdout + again.stderr
    assert (await importer.versions("greeting", "prod"))["v4"] == "draft"
    change = {"content": "ours"}
    sent(await importer.platform.http.put(f"/api/prompts/{imported['id']}", json=change))
    left = await importer.run("promptops", url, "--yes")
    assert left.returncode == 3, left.stdout
    assert "its draft differs from the one there, left alone" in left.stdout
    assert (await importer.run("promptops", url, "--yes", "--force")).returncode == 0
    assert (await importer.prompts())["greeting", "prod"]["content"] == "draft"


async def test_labels_of_langfuse_become_environments(
    importer: Importer, langfuse: FakeLangfuse
) -> None:
    chat = [
        {"type": "chatmessage", "role": "system", "content": "Help {{shop}}, {{#if x}}"},
        {"type": "placeholder", "name": "history"},
    ]
    langfuse.add("movie", "one {{title}}", "production", config={"model": "gpt-5"}, tags=["film"])
    langfuse.add("movie", "two {{title}}", "staging", config={"maxOutputTokens": 9})
    langfuse.add("support/chat", chat, "production")
    langfuse.add("third", "text")
    printed = await importer.done("langfuse", langfuse.url, "--label", "staging=test")
    assert "'support/chat' gets the key 'support.chat'" in printed
    assert "{{#if x}} is not a variable" in printed
    prompts = await importer.prompts()
    assert {place: row["published_version"] for place, row in prompts.items()} == {
        ("movie", "prod"): "v1",
        ("movie", "test"): "v2",
        ("movie", "dev"): "v2",
        ("support.chat", "prod"): "v1",
        ("support.chat", "dev"): "v1",
        ("third", "dev"): "v1",
    }
    assert await importer.versions("movie", "prod") == {
        "v1": "one {{title}}",
        "v2": "two {{title}}",
    }
    movie = prompts["movie", "prod"]
    assert (movie["model"], movie["tags"], movie["config"]) == ("gpt-5", "film", {})
    assert prompts["movie", "dev"]["config"] == {"max_tokens": 9}
    messages = prompts["support.chat", "prod"]["messages"]
    assert [message.get("role", message.get("name")) for message in messages] == [
        "system",
        "history",
    ]
    wrong = await importer.run("langfuse", langfuse.url, LANGFUSE_SECRET_KEY="other")
    assert wrong.returncode == 2
    assert "set LANGFUSE_PUBLIC_KEY" in wrong.stderr


async def test_prompt_objects_of_openai(importer: Importer, tmp_path: Path) -> None:
    file = tmp_path / "prompts.json"
    form = {"type": "json_schema", "name": "answer", "schema": {"type": "object"}, "strict": True}
    objects = [
        {"id": "pmpt_1", "version": "2", "instructions": "Two {{x}}", "model": "gpt-5"},
        {"id": "pmpt_1", "version": "1", "instructions": "One {{x}}", "tools": [{"type": "mcp"}]},
        {
            "name": "chat",
            "messages": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
            "max_output_tokens": 5,
            "text": {"format": form},
        },
        {"name": "kept there", "prompt": {"id": "pmpt_9"}},
    ]
    file.write_text(json.dumps({"data": objects}))
    printed = await importer.done("openai", str(file), "--env", "prod")
    assert "the text of pmpt_9 is kept by OpenAI" in printed
    assert "tools is left out" in printed
    assert await importer.versions("pmpt_1", "prod") == {"v1": "One {{x}}", "v2": "Two {{x}}"}
    chat = (await importer.prompts())["chat", "prod"]
    assert chat["messages"] == [{"role": "user", "content": "Hi"}]
    assert chat["config"]["max_tokens"] == 5
    assert chat["config"]["response_format"]["json_schema"]["name"] == "answer"
    assert chat["published_version"] is None


async def test_calls_of_openai_in_source(importer: Importer, tmp_path: Path) -> None:
    file = tmp_path / "shop.py"
    file.write_text(
        'RULES = "Be kind to {{nobody}}."\n'
        "def greet(client, who, text):\n"
        "    client.responses.create(model='gpt-5', instructions=RULES,\n"
        "        input=f'Greet {who}: {text.title}', temperature=0.2)\n"
        "def later(client, rows):\n"
        "    client.chat.completions.create(messages=[{'role': 'user', 'content': str(rows)}])\n"
    )
    printed = await importer.done("openai", str(file))
    assert "line 6: the text is made by the program" in printed
    prompt = (await importer.prompts())["greet", "dev"]
    assert prompt["messages"] == [
        {"role": "system", "content": "Be kind to {{nobody}}."},
        {"role": "user", "content": "Greet {{who}}: {{text.title}}"},
    ]
    assert (prompt["model"], prompt["config"]) == ("gpt-5", {"temperature": 0.2})
    file.write_text("neither of both")
    failed = await importer.run("openai", str(file))
    assert (failed.returncode, "neither JSON nor Python" in failed.stderr) == (2, True)
    script = tmp_path / "shop.ts"
    script.write_text("await client.responses.create({ instructions: 'Be kind.' })")
    refused = await importer.run("openai", str(script))
    assert (refused.returncode, "shop.ts is not read" in refused.stderr) == (2, True)


async def test_a_folder_with_all_kinds_of_files(importer: Importer, tmp_path: Path) -> None:
    files = {
        "prompts/prod/greeting.prompt": "Hello {{who}}!\n",
        "workflows/flow.yaml": "steps:\n  - {name: inner, type: transform, op: upper}\n",
        "loose/other.prompt": "---\nmodel: gpt-5\n---\nLoose {{x}}\n",
        "loose/basic.prompty": (
            "---\nname: basic\ndisplayName: Basic\nmetadata: {tags: [a, b]}\n"
            "model: {id: gpt-5, options: {maxOutputTokens: 7}}\n"
            "inputs: {question: {kind: string}}\n"
            "template: {format: {kind: mustache}, parser: {kind: prompty}}\n---\n"
            "system:\nBe kind.\n\nuser:\n{{question}}\n"
        ),
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    await importer.done("folder", str(tmp_path))
    prompts = await importer.prompts()
    assert set(prompts) == {("greeting", "prod"), ("other", "dev"), ("basic", "dev")}
    basic = prompts["basic", "dev"]
    assert [message["role"] for message in basic["messages"]] == ["system", "user"]
    assert (basic["name"], basic["tags"], basic["config"]) == ("Basic", "a,b", {"max_tokens": 7})
    bad = tmp_path / "loose" / "bad.prompty"
    bad.write_text("---\nname: bad\n---\nuser:\n{% for x in y %}\n")
    failed = await importer.run("folder", str(tmp_path))
    assert failed.returncode == 2
    assert "bad.prompty: line 5" in failed.stderr
