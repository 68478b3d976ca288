"""What administrators are told of the installation, on both databases."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from harness.platform import (
    TOKEN,
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from promptops_platform.db.unit_of_work import Database
from promptops_platform.diagnosis.finding import Finding, problem, warning
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.system import service

PASSWORD = "not-for-anybody"


async def system(platform: RunningPlatform) -> dict[str, Any]:
    answer = await platform.http.get("/api/system")
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["data"])


async def test_it_names_versions_database_and_feed(
    platform: RunningPlatform, database_kind: DatabaseKind
) -> None:
    prompt = await platform.create()
    state = await system(platform)
    assert state["version"]
    assert state["database"]["kind"] == database_kind
    assert state["database"]["schema_revision"].isdecimal()
    assert state["database"]["bytes"] > 0
    assert state["database"]["answer_ms"] >= 0
    assert state["parts"]["database"]["ok"]
    assert state["feed"]["revision"] == state["feed"]["seen"] > 0
    await platform.publish(prompt["id"])
    assert (await system(platform))["feed"]["revision"] > state["feed"]["revision"]


async def test_it_lists_the_replicas_of_one_database(postgres: Postgres) -> None:
    settings = await new_settings("postgresql", postgres, new_data_folder())
    async with running_platform(settings) as first:
        alone = await system(first)
        assert [replica["is_this"] for replica in alone["replicas"]] == [True]
        other = settings.model_copy(update={"data": new_data_folder()})
        async with running_platform(other) as second:
            own = await system(second)
            await first.platform.changes.replicas.wait_for(own["feed"]["revision"], 10)
            both = await system(first)
            assert {replica["id"] for replica in both["replicas"]} == {
                first.platform.changes.replicas.id,
                second.platform.changes.replicas.id,
            }
            assert len({replica["epoch"] for replica in both["replicas"]}) == 1


async def test_it_counts_who_watches(platform: RunningPlatform) -> None:
    before = (await system(platform))["watchers"]
    async with platform.watch():
        assert (await system(platform))["watchers"] == before + 1


async def test_neither_answer_holds_a_secret(
    database_kind: DatabaseKind, postgres: Postgres
) -> None:
    settings = await new_settings(database_kind, postgres, new_data_folder())
    secrets = {
        "prefect_api_url": f"http://user:{PASSWORD}@127.0.0.1:9/api",
        "prefect_api_auth_string": SecretStr(f"user:{PASSWORD}"),
        "secret_key": SecretStr("1" * 43 + "="),
        "provider_hosts": "127.0.0.1:9",
    }
    async with running_platform(settings.model_copy(update=secrets)) as platform:
        for path in ("/api/system", "/api/system/findings"):
            answer = await platform.http.get(path)
            assert answer.status_code == 200
            assert PASSWORD not in answer.text
            assert "1" * 43 not in answer.text
            assert TOKEN not in answer.text
            assert "postgres:" not in answer.text
        prefect = (await system(platform))["prefect"]
        assert (prefect["is_embedded"], prefect["url"]) == (False, "http://127.0.0.1:9/api")
        assert prefect["deployments"]["compared_at"] is None


async def test_without_the_database_it_still_tells_the_rest(
    platform: RunningPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_database: Database) -> Any:
        raise DatabaseUnavailable("the database is away")

    monkeypatch.setattr(Database, "read", fail)
    state = await system(platform)
    assert (state["database"]["schema_revision"], state["database"]["bytes"]) == (None, None)
    assert state["database"]["answer_ms"] is None
    assert state["feed"]["epoch"]


async def test_it_finds_what_the_doctor_finds_and_asks_once_for_many(
    platform: RunningPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Path] = []

    async def examine(settings: Any) -> list[Finding]:
        looks.append(settings.data)
        return [warning("secrets", "is weak", "make it strong"), problem("disk", "is full", "tidy")]

    monkeypatch.setattr(service, "examine", examine)
    answers = [(await platform.http.get("/api/system/findings")).json()["data"] for _ in range(3)]
    assert len(looks) == 1
    assert answers[0] == answers[2]
    assert answers[0]["findings"] == [
        {"check": "secrets", "level": "warning", "text": "is weak", "remedy": "make it strong"},
        {"check": "disk", "level": "problem", "text": "is full", "remedy": "tidy"},
    ]
