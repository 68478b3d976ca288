"""What each change enters in the audit trail, and that it does so in its own transaction."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import Connection, Engine, event, text

from harness.changes.rows import CONNECTION_SECRET, OTHER_PASSWORD, STEP_SECRET, Call, Route
from harness.changes.table import ROWS
from harness.people import PASSWORD
from harness.platform import (
    TOKEN,
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from harness.trail import counts, listed, stored_text
from promptops_platform.app import ROUTERS

READING = {"GET", "HEAD", "OPTIONS"}
# Judges what it is sent, and stores nothing.
JUDGING: set[Route] = {("POST", "/api/workflows/validate"), ("POST", "/api/schedules/preview")}
FAILING_TABLES = (
    "CREATE TABLE IF NOT EXISTS missing (id INTEGER PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS failing "
    "(id INTEGER REFERENCES missing (id) DEFERRABLE INITIALLY DEFERRED)",
)
FAILING_ENGINES: set[Engine] = set()
# Which of `before` and `after` an entry has: both, but for these actions and routes.
SNAPSHOTS: dict[str | Route | tuple[str, str, str], tuple[bool, bool]] = {
    "run": (False, False),
    "create": (False, True),
    "version": (False, True),
    "delete": (True, False),
    "revoke": (True, False),
    "login": (False, False),
    "logout": (False, False),
    "test": (False, False),
    **dict.fromkeys(
        ("approve", "reject", "link", "schedule", "withdraw", "refresh", "bypass"), (False, True)
    ),
    "rotate": (False, False),
    "resend": (False, False),
    # Of a password not even a trace is kept.
    ("PUT", "/api/me/password"): (False, False),
    # Into an environment that did not have the prompt.
    ("POST", "/api/sample", "promote"): (False, True),
    ("PUT", "/api/prompts/{prompt_id}/rollout"): (False, True),
    ("DELETE", "/api/prompts/{prompt_id}/rollout"): (True, False),
}


def routes() -> set[Route]:
    return {
        (method, route.path)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }


async def send(
    platform: RunningPlatform, route: Route, call: Call, request_id: str
) -> httpx.Response:
    async with platform.client(call.token or TOKEN) as client:
        return await client.request(
            route[0],
            call.path,
            json=call.body,
            headers={"x-request-id": request_id},
            timeout=30,
        )


def test_the_table_knows_every_route_that_changes_something() -> None:
    changing = {route for route in routes() if route[0] not in READING}
    # What a webhook has fired is listed with its trigger.
    assert changing - {*JUDGING, ("POST", "/hooks/{hook}")} == set(ROWS)


@pytest.mark.parametrize("route", ROWS, ids=" ".join)
async def test_a_change_enters_who_from_where_and_what(
    platform: RunningPlatform, route: Route
) -> None:
    """A first try fails with its commit: it leaves neither the change nor entry or count."""
    row, request_id = ROWS[route], new_key()
    call = await row.prepare(platform)
    before = await counts(platform)
    async with failing_commits(platform):
        failed = await send(platform, route, call, request_id)
    assert failed.status_code == max(call.status, 500), failed.text
    assert await listed(platform, request_id=request_id) == []
    assert await counts(platform) == before

    answer = await send(platform, route, call, request_id)
    assert answer.status_code == call.status, answer.text
    assert answer.headers["x-request-id"] == request_id
    entries = await listed(platform, request_id=request_id)
    assert sorted(entry["action"] for entry in entries) == sorted(row.actions)
    for entry in entries:
        assert (entry["actor"], entry["address"]) == (call.actor, "127.0.0.1")
        assert all(entry[name] for name in ("resource", "resource_id", "key", "summary"))
        assert not re.match(r"\w+ of |made ", entry["summary"]), entry["summary"]
        keys = ((*route, entry["action"]), route, entry["action"])
        snapshots = next((SNAPSHOTS[key] for key in keys if key in SNAPSHOTS), (True, True))
        assert (bool(entry["before"]), bool(entry["after"])) == snapshots, entry


@asynccontextmanager
async def failing_commits(platform: RunningPlatform) -> AsyncIterator[None]:
    """Every COMMIT fails in the database: by a constraint that is checked only then.

    The listener stays: a commit of the background may be in it when the block ends, and SQLAlchemy
    can't remove it then without breaking that commit off, with its transaction open.
    """
    async with platform.platform.database.write() as transaction:
        for statement in FAILING_TABLES:
            await transaction.session.execute(text(statement))
    engine = platform.platform.database.engines.writer.sync_engine
    if not event.contains(engine, "commit", violate_constraint):
        event.listen(engine, "commit", violate_constraint)
    FAILING_ENGINES.add(engine)
    try:
        yield
    finally:
        FAILING_ENGINES.remove(engine)


def violate_constraint(connection: Connection) -> None:
    if connection.engine in FAILING_ENGINES:
        connection.connection.cursor().execute("INSERT INTO failing VALUES (1)")


async def test_a_refused_change_leaves_nothing(platform: RunningPlatform) -> None:
    taken = await platform.create(env="prod")
    other = await platform.create(taken["key"], env="dev")
    before = await counts(platform)
    request_id = new_key()
    for method, path, body, status in (
        ("POST", "/api/prompts", {"key": taken["key"], "env": "prod"}, 409),
        ("PUT", f"/api/prompts/{other['id']}", {"env": "prod", "content": "x"}, 409),
        ("POST", "/api/prompts/rollback", {"id": taken["id"], "version": "v9"}, 404),
        ("POST", "/api/users", {"username": "admin", "password": "x"}, 400),
        ("POST", "/api/workspaces", {"name": "x", "slug": "default"}, 409),
        ("POST", "/api/login", {"username": new_key(), "password": "wrong"}, 401),
        ("POST", "/api/workflows", {"key": new_key(), "steps": "none"}, 400),
        ("DELETE", "/api/keys/unknown", None, 404),
    ):
        answer = await send(platform, (method, path), Call(path, body), request_id)
        assert answer.status_code == status, answer.text
    assert await listed(platform, request_id=request_id) == []
    assert await counts(platform) == before


async def test_trading_a_token_for_itself_is_no_login(platform: RunningPlatform) -> None:
    request_id = new_key()
    call = Call("/api/login", {"token": TOKEN})
    assert (await send(platform, ("POST", "/api/login"), call, request_id)).status_code == 200
    assert await listed(platform, request_id=request_id) == []


async def test_no_secret_ever_stands_in_the_trail(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    secrets = {PASSWORD, OTHER_PASSWORD, STEP_SECRET, CONNECTION_SECRET, TOKEN, "pbkdf2"}
    async with running_platform(settings) as platform:
        for route, row in ROWS.items():
            call = await row.prepare(platform)
            answer = await send(platform, route, call, new_key())
            is_page = "html" in answer.headers["content-type"]
            whole = {} if is_page else answer.json()
            shown = whole.get("data") or {}
            tokens = {whole.get("token"), call.token}
            if isinstance(shown, dict) and "prefix" in shown:
                tokens.add(shown.get("key"))
            secrets |= {token for token in tokens if token}
        stored = await stored_text(platform)
    assert len(secrets) >= 8
    assert "api_key" in stored
    for secret in secrets:
        assert secret not in stored
        assert sha256(secret.encode()).hexdigest() not in stored


async def test_entries_are_never_changed_over_the_api(platform: RunningPlatform) -> None:
    assert {method for method, path in routes() if path.startswith("/api/audit")} == {"GET"}
    before = (await listed(platform, limit=1))[0]
    for path in ("/api/audit", f"/api/audit/{before['id']}", "/api/audit/export"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = await platform.http.request(method, path, json={})
            assert answer.status_code in (404, 405), (method, path)
    assert (await listed(platform, limit=1))[0] == before
