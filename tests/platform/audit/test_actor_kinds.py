"""Whom an entry names: callers of different kinds may have the same name."""

from harness.callers import as_caller, new_account, new_api_key
from harness.platform import RunningPlatform, new_key, until
from harness.trail import listed
from promptops_platform.access import repository
from promptops_platform.access.actor import COMMAND_LINE, SYSTEM
from promptops_platform.changes.schemas import Change, ChangeType


async def test_callers_of_the_same_name_are_told_apart(platform: RunningPlatform) -> None:
    name = new_key()
    key = await new_api_key(platform, name=name, role="editor")
    account = await new_account(platform, "editor")
    async with platform.platform.database.write() as transaction:
        row = await repository.user(transaction.session, account.id)
        assert row is not None
        # An older release took every name.
        row.username = f"key {name}"
        change = Change(ChangeType.USER_CHANGED, account.id)
        platform.platform.changes.log.record(transaction, change)
    authenticator = platform.platform.access.authenticator
    await until(lambda: getattr(authenticator.actor(account.token), "name", "") == f"key {name}")
    for token in (key["key"], account.token):
        async with as_caller(platform, token) as client:
            assert (await client.post("/api/prompts", json={"key": new_key()})).is_success
    entries = await listed(platform, actor=f"key {name}", resource="prompt")
    assert [entry["actor_kind"] for entry in entries] == ["user", "key"]


async def test_whoever_runs_the_platform_is_told_apart(platform: RunningPlatform) -> None:
    prompt = await platform.create()
    (entry,) = await listed(platform, resource_id=prompt["id"])
    assert (entry["actor"], entry["actor_kind"]) == ("admin", "static token")
    assert (COMMAND_LINE.kind, SYSTEM.kind) == ("command line", "system")
    seeded = await listed(platform, action="create", resource="workspace", key="default")
    assert [(entry["actor"], entry["actor_kind"]) for entry in seeded] == [("system", "system")]
    exported = await platform.http.get("/api/audit/export?format=csv")
    assert exported.text.splitlines()[0].endswith("actor_kind")


async def test_a_login_is_of_a_user(platform: RunningPlatform) -> None:
    account = await new_account(platform)
    async with as_caller(platform, account.token) as client:
        assert (await client.post("/api/logout")).is_success
    (entry,) = await listed(platform, actor=account.name)
    assert (entry["action"], entry["actor_kind"]) == ("logout", "user")
