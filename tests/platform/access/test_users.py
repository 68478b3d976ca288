"""Accounts: made, edited and deleted by admins."""

import asyncio
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from harness.callers import PASSWORD, as_caller, login, me, new_account
from harness.people import new_workspace
from harness.platform import (
    WAIT_SECONDS,
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    next_event,
    running_platform,
    until,
)
from harness.postgres import Postgres
from promptops_platform.access.repository import user
from promptops_platform.ids import new_id


def account_body() -> dict[str, str]:
    return {"username": f"user-{new_id()}", "password": PASSWORD}


async def test_an_account_is_made_listed_and_deleted(platform: RunningPlatform) -> None:
    body = {**account_body(), "role": "editor"}
    made = (await platform.http.post("/api/users", json=body)).json()["data"]
    assert list(made) == ["id", "username", "role", "created_at"]
    assert (made["username"], made["role"]) == (body["username"], "editor")
    listed = (await platform.http.get("/api/users")).json()["data"]
    assert made in listed
    assert listed == sorted(listed, key=lambda user: user["username"].encode())
    answer = (await login(platform, username=body["username"], password=PASSWORD)).json()
    assert (answer["role"], answer["username"]) == ("editor", body["username"])
    url = f"/api/users/{made['id']}"
    assert (await platform.http.delete(url)).json() == {"ok": True}
    assert (await me(platform, answer["token"])).status_code == 401
    assert (await login(platform, username=body["username"], password=PASSWORD)).status_code == 401
    for gone in (await platform.http.delete(url), await platform.http.put(url, json={})):
        assert gone.status_code == 404
        assert made["id"] in gone.json()["error"]


@pytest.mark.parametrize("role", ["owner", "sdk", "ADMIN", "", None])
async def test_an_unknown_role_becomes_viewer(platform: RunningPlatform, role: str | None) -> None:
    body = {**account_body(), "role": role}
    made = (await platform.http.post("/api/users", json=body)).json()["data"]
    assert made["role"] == "viewer"


async def test_a_taken_name_is_refused(platform: RunningPlatform) -> None:
    body = account_body()
    answers = await asyncio.gather(*(platform.http.post("/api/users", json=body) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400]
    message = next(answer for answer in answers if answer.status_code == 400).json()["error"]
    assert body["username"] in message
    assert "taken" in message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"password": "x"}, "username: is required"),
        ({"username": "x"}, "password: is required"),
        ({"username": "", "password": "x"}, "username"),
        ({"username": "x", "password": ""}, "password"),
        ({"username": "a\nb", "password": "x"}, "U+000A"),
        ({"username": "x", "password": "S3CRET!"}, "8 characters"),
        ({"username": "x", "password": "  S3CRET  "}, "8 characters"),
        ({"username": "x", "password": " \u3000 " * 9}, "8 characters"),
        ({"username": "x", "password": " admin "}, "well-known default"),
        ({"username": "x", "password": "PromptOps-Dev-Token"}, "well-known default"),
        ({"username": "My Account", "password": " my  account"}, "name of the account"),
        ({"username": "x" * 201, "password": "x"}, "200"),
        ({"username": "x", "password": "S3CRET\u0007"}, "U+0007"),
        ({"username": "x", "password": "S3CRET" * 200}, "1024"),
        ({"username": "x", "password": ["S3CRET"]}, "password"),
    ],
)
async def test_a_bad_account_is_refused(
    platform: RunningPlatform, body: dict[str, str], message: str
) -> None:
    answer = await platform.http.post("/api/users", json=body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert "S3CRET" not in answer.text


@pytest.mark.parametrize(
    "name",
    ["system", " System ", "command line", "COMMAND\u3000LINE", "key k", "Key  shop"],
)
async def test_a_name_under_which_others_act_is_reserved(
    platform: RunningPlatform, name: str
) -> None:
    answer = await platform.http.post("/api/users", json={**account_body(), "username": name})
    assert answer.status_code == 400
    assert "choose another one" in answer.json()["error"]


async def test_a_new_password_is_no_weaker_than_that_of_a_new_account(
    platform: RunningPlatform,
) -> None:
    account = await new_account(platform)
    async with as_caller(platform, account.token) as client:
        for weak, reason in (
            ("seven77", "8 characters"),
            ("promptops-dev-token", "well-known default"),
            (account.name.upper(), "name of the account"),
        ):
            by_admin = await platform.http.put(f"/api/users/{account.id}", json={"password": weak})
            own = {"current_password": PASSWORD, "new_password": weak}
            by_user = await client.put("/api/me/password", json=own)
            for answer in (by_admin, by_user):
                assert answer.status_code == 400
                assert reason in answer.json()["error"]
                assert weak not in answer.text
        assert "new_password: " in by_user.json()["error"]
        assert (await client.get("/api/me")).status_code == 200, "nothing has changed"
    assert (await login(platform, username=account.name, password=PASSWORD)).is_success


async def test_a_name_of_an_older_release_still_logs_in(platform: RunningPlatform) -> None:
    """It may have blanks around it, or letters that are not composed."""
    account = await new_account(platform)
    old = f" gro\u0308ße {account.id} "
    async with platform.platform.database.write() as transaction:
        row = await user(transaction.session, account.id)
        assert row is not None
        row.username = old
    answer = await login(platform, username=old, password=PASSWORD)
    assert answer.json()["username"] == old


async def test_a_new_password_ends_the_sessions_and_a_role_counts_at_once(
    platform: RunningPlatform,
) -> None:
    account = await new_account(platform, "viewer")
    url = f"/api/users/{account.id}"
    async with as_caller(platform, account.token) as client:
        assert (await client.post("/api/prompts", json={"key": new_key()})).status_code == 403
        changed = await platform.http.put(url, json={"role": "editor"})
        assert changed.json()["data"]["role"] == "editor"
        assert (await client.get("/api/me")).json()["role"] == "editor"
        assert (await client.post("/api/prompts", json={"key": new_key()})).status_code == 200
        assert (await platform.http.put(url, json={"role": "nobody"})).status_code == 200
        assert (await client.post("/api/prompts", json={"key": new_key()})).status_code == 403
        assert (await platform.http.put(url, json={"password": "another one"})).status_code == 200
        assert (await client.get("/api/me")).status_code == 401
    old = await login(platform, username=account.name, password=PASSWORD)
    assert old.status_code == 401
    new = await login(platform, username=account.name, password="another one")
    assert new.json()["role"] == "viewer"


async def test_the_audit_tells_who_changed_an_account_and_holds_no_password(
    platform: RunningPlatform,
) -> None:
    admin = await new_account(platform, "admin")
    async with as_caller(platform, admin.token) as client:
        body = {**account_body(), "password": "S3CRET-one"}
        made = (await client.post("/api/users", json=body)).json()["data"]
        both = {"password": "S3CRET-two", "role": "editor"}
        await client.put(f"/api/users/{made['id']}", json=both)
        await client.delete(f"/api/users/{made['id']}")
    page = await platform.http.get("/api/audit?limit=200")
    assert "S3CRET" not in page.text
    entries = [entry for entry in page.json()["data"] if entry["resource_id"] == made["id"]]
    assert [entry["action"] for entry in entries] == ["delete", "update", "create"]
    assert "password" in entries[1]["summary"]
    assert "editor" in entries[1]["summary"]


async def test_a_deleted_users_watch_ends(platform: RunningPlatform) -> None:
    account = await new_account(platform)
    async with platform.watch(token=account.token) as watcher:
        await platform.http.delete(f"/api/users/{account.id}")
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(watcher.recv(), WAIT_SECONDS)
    assert watcher.close_code == 4401


async def test_a_demoted_admins_watch_goes_on_with_fewer_rights(platform: RunningPlatform) -> None:
    account = await new_account(platform, "admin")
    closed = await new_workspace(platform, "restricted")
    async with platform.watch(token=account.token, namespace="prod") as watcher:
        seen = await platform.create(env="prod", workspace=closed)
        assert (await next_event(watcher))["id"] == seen["id"]
        await platform.http.put(f"/api/users/{account.id}", json={"role": "viewer"})
        await platform.create(env="prod", workspace=closed)
        open_one = await platform.create(env="prod")
        assert (await next_event(watcher))["id"] == open_one["id"]


async def test_a_member_who_is_deleted_leaves_the_workspace(platform: RunningPlatform) -> None:
    account = await new_account(platform)
    closed = await new_workspace(platform, "restricted", admin={"id": account.id})
    grants = platform.platform.access.grants
    assert (closed, account.id) in grants._members
    await platform.http.delete(f"/api/users/{account.id}")
    assert (closed, account.id) not in grants._members


async def test_the_last_admin_stays(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        (seeded,) = (await platform.http.get("/api/users")).json()["data"]
        url = f"/api/users/{seeded['id']}"
        viewer = await new_account(platform)
        for refused in (
            await platform.http.delete(url),
            await platform.http.put(url, json={"role": "editor"}),
            await platform.http.put(url, json={"role": "editor", "password": "brand new one"}),
        ):
            assert refused.status_code == 409
            assert "last admin" in refused.json()["error"]
        assert (await login(platform, username="admin", password="admin")).status_code == 200
        same = await platform.http.put(url, json={"role": "admin", "password": "brand new one"})
        assert same.status_code == 200
        assert (await platform.http.delete(f"/api/users/{viewer.id}")).status_code == 200
        await new_account(platform, "admin")
        assert (await platform.http.delete(url)).status_code == 200


async def test_two_admins_cant_remove_each_other_at_once(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        (first,) = (await platform.http.get("/api/users")).json()["data"]
        left = first["id"]
        for _ in range(10):
            other = (await new_account(platform, "admin")).id
            answers = await asyncio.gather(
                platform.http.delete(f"/api/users/{left}"),
                platform.http.put(f"/api/users/{other}", json={"role": "viewer"}),
            )
            statuses = [answer.status_code for answer in answers]
            assert sorted(statuses) == [200, 409], [answer.text for answer in answers]
            left = other if statuses[0] == 200 else left


@pytest.mark.usefixtures("no_slow_poll")
async def test_a_change_of_an_account_reaches_the_other_replica(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as one, running_platform(settings) as two:
        account = await new_account(one, "admin")
        authenticator = two.platform.access.authenticator
        await until(lambda: authenticator.actor(account.token) is not None)
        await one.http.put(f"/api/users/{account.id}", json={"role": "viewer"})
        await until(lambda: getattr(authenticator.actor(account.token), "role", "") == "viewer")
        async with two.watch(token=account.token) as watcher:
            await one.http.delete(f"/api/users/{account.id}")
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(watcher.recv(), WAIT_SECONDS)


async def test_the_password_that_everybody_knows_never_comes_back(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:

        async def defaults() -> list[str]:
            async with platform.platform.database.read() as transaction:
                return await platform.platform.access.accounts.default_passwords(transaction)

        assert await defaults() == ["admin"]
        url = f"/api/users/{(await platform.http.get('/api/users')).json()['data'][0]['id']}"
        assert (await platform.http.put(url, json={"password": PASSWORD})).is_success
        assert await defaults() == []
        token = (await login(platform, username="admin", password=PASSWORD)).json()["token"]
        own = {"current_password": PASSWORD, "new_password": "admin"}
        other = await new_account(platform, "admin")
        async with as_caller(platform, token) as client:
            refused = [
                await platform.http.put(url, json={"password": "admin"}),
                await client.put("/api/me/password", json=own),
            ]
        assert (await platform.http.delete(url)).status_code == 200
        again = {"username": "admin", "password": "admin"}
        refused.append(await platform.http.post("/api/users", json=again))
        assert {answer.status_code for answer in refused} == {400}
        assert await defaults() == []
        assert (await me(platform, other.token)).status_code == 200
