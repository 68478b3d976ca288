"""Every route says who may call it, and means it."""

from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from harness.platform import RunningPlatform
from promptops_platform.access.guard import PUBLIC, Guard
from promptops_platform.access.permissions import NEEDED_ROLE, Permission, Role
from promptops_platform.access.schemas import Actor
from promptops_platform.app import ROUTERS

PUBLIC_ROUTES = {
    ("GET", "/health"),
    ("POST", "/api/login"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/assets/{name}"),
}


def dependencies(dependant: Dependant) -> Iterator[object]:
    for each in dependant.dependencies:
        yield each.call
        yield from dependencies(each)


def routes() -> list[APIRoute]:
    found = [route for router in ROUTERS for route in router.routes]
    assert found
    assert all(isinstance(route, APIRoute) for route in found)
    return [route for route in found if isinstance(route, APIRoute)]


def test_every_route_names_one_permission_or_is_public() -> None:
    for route in routes():
        calls = list(dependencies(route.dependant))
        guards = [each for each in calls if isinstance(each, Guard)]
        public = PUBLIC.dependency in calls
        assert len(guards) + public == 1, route.path
        is_listed = {(method, route.path) for method in route.methods} <= PUBLIC_ROUTES
        assert public == is_listed, route.path


def test_every_permission_has_a_role() -> None:
    assert set(NEEDED_ROLE) == set(Permission)


ROLE_CASES = [
    ("GET", "/api/me", Role.VIEWER),
    ("GET", "/api/prompts", Role.VIEWER),
    ("POST", "/api/prompts", Role.EDITOR),
    ("PUT", "/api/prompts/x", Role.EDITOR),
    ("DELETE", "/api/prompts/x", Role.EDITOR),
    ("POST", "/api/prompts/publish", Role.EDITOR),
    ("POST", "/api/prompts/rollback", Role.EDITOR),
    ("GET", "/api/prompts/x/versions", Role.VIEWER),
    ("GET", "/api/sdk/prompts/x", Role.VIEWER),
    ("GET", "/api/workspaces", Role.VIEWER),
    ("POST", "/api/workspaces", Role.EDITOR),
    ("GET", "/api/workflows", Role.VIEWER),
    ("POST", "/api/workflows", Role.EDITOR),
    ("PUT", "/api/workflows/x", Role.EDITOR),
    ("DELETE", "/api/workflows/x", Role.EDITOR),
    ("POST", "/api/workflows/x/run", Role.VIEWER),
    ("GET", "/api/runs", Role.VIEWER),
    ("GET", "/api/runs/stats", Role.VIEWER),
    ("GET", "/api/audit", Role.VIEWER),
    ("GET", "/api/clients", Role.VIEWER),
]


@pytest.mark.parametrize(("method", "path", "needed"), ROLE_CASES)
async def test_a_role_that_is_too_low_is_told_which_it_needs(
    platform: RunningPlatform,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    needed: Role,
) -> None:
    authenticator = platform.platform.authenticator
    ranks = [Role.VIEWER, Role.EDITOR, Role.ADMIN]
    for role in ranks:
        monkeypatch.setattr(authenticator, "_static_actor", Actor("somebody", role))
        answer = await platform.http.request(method, path, json={})
        if ranks.index(role) < ranks.index(needed):
            assert answer.status_code == 403
            assert answer.json()["error"] == f"forbidden: requires {needed} role"
        else:
            assert answer.status_code not in (401, 403), answer.text
    async with platform.client(None) as nobody:
        assert (await nobody.request(method, path, json={})).status_code == 401
