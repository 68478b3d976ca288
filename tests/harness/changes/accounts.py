"""Logins, users and API keys."""

from harness.changes.rows import OTHER_PASSWORD, Call, row
from harness.people import PASSWORD, new_session, new_user, sent
from harness.platform import RunningPlatform, new_key


@row("POST", "/api/login", "login")
async def _login(platform: RunningPlatform) -> Call:
    name = (await new_user(platform, "viewer"))["username"]
    return Call("/api/login", {"username": name, "password": PASSWORD}, actor=name)


@row("POST", "/api/session", "login")
async def _console_login(platform: RunningPlatform) -> Call:
    name = (await new_user(platform, "viewer"))["username"]
    return Call("/api/session", {"username": name, "password": PASSWORD}, actor=name)


@row("POST", "/api/logout", "logout")
async def _logout(platform: RunningPlatform) -> Call:
    user = await new_user(platform, "viewer")
    return Call("/api/logout", None, await new_session(platform, user), user["username"])


@row("PUT", "/api/me/password", "update")
async def _own_password(platform: RunningPlatform) -> Call:
    user = await new_user(platform, "viewer")
    body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    return Call("/api/me/password", body, await new_session(platform, user), user["username"])


@row("DELETE", "/api/me/sessions", "logout")
async def _end_sessions(platform: RunningPlatform) -> Call:
    user = await new_user(platform, "viewer")
    return Call("/api/me/sessions", None, await new_session(platform, user), user["username"])


@row("POST", "/api/users", "create")
async def _create_user(_platform: RunningPlatform) -> Call:
    return Call("/api/users", {"username": new_key(), "password": PASSWORD, "role": "editor"})


@row("PUT", "/api/users/{user_id}", "update")
async def _update_user(platform: RunningPlatform) -> Call:
    user = await new_user(platform, "viewer")
    return Call(f"/api/users/{user['id']}", {"password": OTHER_PASSWORD, "role": "editor"})


@row("DELETE", "/api/users/{user_id}", "delete")
async def _delete_user(platform: RunningPlatform) -> Call:
    return Call(f"/api/users/{(await new_user(platform, 'viewer'))['id']}")


@row("POST", "/api/keys", "create")
async def _create_key(_platform: RunningPlatform) -> Call:
    return Call("/api/keys", {"name": new_key(), "workspace": "default", "environments": ["dev"]})


@row("DELETE", "/api/keys/{key_id}", "revoke")
async def _revoke_key(platform: RunningPlatform) -> Call:
    made = sent(await platform.http.post("/api/keys", json={"name": new_key()}))
    return Call(f"/api/keys/{made['id']}")


@row("POST", "/api/keys/{key_id}/adopt", "adopt")
async def _adopt_key(platform: RunningPlatform) -> Call:
    maker = await new_user(platform, "admin")
    async with platform.client(await new_session(platform, maker)) as client:
        made = sent(await client.post("/api/keys", json={"name": new_key()}))
    return Call(f"/api/keys/{made['id']}/adopt", {})
