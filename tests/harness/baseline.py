"""Stored platforms of earlier releases: a backup, and the API's responses of that time.

`make baseline` adds those of the current release (both databases).
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from harness.people import sent
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres, running_postgres
from promptops_platform.backups.making import make_backup

FOLDER = Path(__file__).parents[1] / "platform" / "db" / "baselines"
KINDS: tuple[DatabaseKind, ...] = ("sqlite", "postgresql")
# Decrypts the texts of the stored backups, which contain no real data.
SECRET_KEY = SecretStr("YmFzZWxpbmVzIG9mIHRoZSB0ZXN0cywgbm8gc2VjcmU=")
LISTS = ("prompts", "agents", "workflows", "users", "keys", "providers", "schedules", "triggers")
# Generated for each response, or different for each caller.
MOVING = ("next", "last_runs", "problem", "deployment_url", "url", "last_used_at", "state_reason")


def backup_path(release: str, kind: DatabaseKind) -> Path:
    """The folder of a release's backup; the responses are next to it."""
    return FOLDER / f"{release}-{kind}.backup"


async def populate(platform: RunningPlatform) -> None:
    """Create objects of every kind."""
    http = platform.http
    prompt = await platform.create("greeting", env="prod", content="Hello {{who}}!", tags="a,b")
    await platform.publish(prompt["id"])
    change = {"content": "Good morning {{who}}!", "version": "v2", "config": {"temperature": 0.5}}
    sent(await http.put(f"/api/prompts/{prompt['id']}", json=change))
    await platform.publish(prompt["id"])
    rollout = {"enabled": True, "variant_a": "v1", "variant_b": "v2", "weight_a": 30}
    sent(await http.put(f"/api/prompts/{prompt['id']}/rollout", json=rollout))
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "{{x}}"}]
    await platform.create("chat", env="dev", kind="chat", messages=messages)
    steps = [{"name": "a", "type": "render", "template": "{{who}}"}, {"name": "b", "type": "model"}]
    workflow = sent(await http.post("/api/workflows", json={"key": "report", "steps": steps}))
    sent(await http.post(f"/api/workflows/{workflow['id']}/publish", json={"env": "prod"}))
    reference = {"key": "greeting", "env": "prod"}
    sent(await http.post("/api/agents", json={"key": "helper", "prompt_ref": reference}))
    body = {"name": "theirs", "kind": "mock", "api_key": "sk-" + "b" * 40}
    sent(await http.post("/api/providers", json=body))
    user = {"username": "ada", "password": "a long password 1", "role": "editor"}
    sent(await http.post("/api/users", json=user))
    sent(await http.post("/api/keys", json={"name": "shop", "role": "sdk"}))
    schedule = {"key": "nightly", "workflow": "report", "env": "prod", "cron": "0 3 * * *"}
    sent(await http.post("/api/schedules", json={**schedule, "paused": True}))
    on = {"event": "prompt.published", "key": "nothing*"}
    trigger = {"key": "announce", "on": on, "run": {"workflow": "report"}}
    sent(await http.post("/api/triggers", json=trigger))
    run = {"content": "Hi {{who}}", "variables": {"who": "Ada"}, "provider": "mock"}
    sent_run = await http.post("/api/playground/run", json=run)
    assert sent_run.is_success, sent_run.text


async def answers(platform: RunningPlatform) -> dict[str, Any]:
    """The API's responses about all of it."""
    http = platform.http
    contents: dict[str, Any] = {}
    for name in LISTS:
        rows = (await http.get(f"/api/{name}")).json()["data"]
        contents[name] = {row["id"]: _still(row) for row in rows}
    for id_ in contents["prompts"]:
        rows = (await http.get(f"/api/prompts/{id_}/versions")).json()["data"]
        contents[f"versions of {id_}"] = {row["id"]: row for row in rows}
    runs = (await http.get("/api/runs")).json()["data"]
    contents["runs"] = {row["id"]: row for row in runs}
    audit = (await http.get("/api/audit", params={"limit": 200})).json()["data"]
    contents["audit"] = {str(row["id"]): row for row in audit}
    subject = {"subject": "user-1"}
    contents["fetched"] = {"greeting": (await platform.fetch("greeting", **subject)).json()}
    return contents


def lost(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What a newer response lacks or changes; additions are allowed."""
    return [
        f"{name} {id_} {field}: {value!r}, now {after.get(name, {}).get(id_, {}).get(field)!r}"
        for name, rows in before.items()
        for id_, row in rows.items()
        for field, value in row.items()
        if field not in after.get(name, {}).get(id_, {}) or after[name][id_][field] != value
    ]


async def make_baseline(release: str, kind: DatabaseKind, postgres: Postgres) -> None:
    """Store a populated platform of the current sources."""
    data = new_data_folder()
    settings = await new_settings(kind, postgres, data, secret_key=SECRET_KEY)
    path = backup_path(release, kind)
    async with running_platform(settings) as platform:
        await populate(platform)
        await platform.announced()
        text = json.dumps(await answers(platform), indent=1, sort_keys=True)
        path.with_suffix(".json").write_text(f"{text}\n")
        await make_backup(settings, path)
    path.chmod(0o644)
    shutil.rmtree(data)


def _still(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in MOVING}


def main() -> None:
    with running_postgres() as postgres:
        for kind in KINDS:
            asyncio.run(make_baseline(sys.argv[1], kind, postgres))


if __name__ == "__main__":
    main()
