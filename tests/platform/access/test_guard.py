"""Every route says who may call it."""

from collections.abc import Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from promptops_platform.access.guard import PUBLIC, Guard
from promptops_platform.access.permissions import NEEDED_ROLE, Permission
from promptops_platform.app import ROUTERS

PUBLIC_ROUTES = {
    ("GET", "/health"),
    ("GET", "/ready"),
    ("POST", "/api/login"),
    ("GET", "/api/session"),
    ("POST", "/api/session"),
    # Their addresses are secrets.
    ("GET", "/api/approval-links/{token}"),
    ("POST", "/api/approval-links/{token}"),
    ("GET", "/approve/{token}"),
    ("POST", "/approve/{token}"),
    ("POST", "/hooks/{hook}"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/assets/{name}"),
}


def dependencies(dependant: Dependant) -> Iterator[object]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from dependencies(dependency)


def routes() -> list[APIRoute]:
    routes_found = [route for router in ROUTERS for route in router.routes]
    assert routes_found
    assert all(isinstance(route, APIRoute) for route in routes_found)
    return [route for route in routes_found if isinstance(route, APIRoute)]


def test_every_route_names_one_permission_or_is_public() -> None:
    for route in routes():
        calls = list(dependencies(route.dependant))
        guards = [call for call in calls if isinstance(call, Guard)]
        public = PUBLIC.dependency in calls
        assert len(guards) + public == 1, route.path
        is_listed = {(method, route.path) for method in route.methods} <= PUBLIC_ROUTES
        assert public == is_listed, route.path


def test_every_permission_has_a_role() -> None:
    assert set(NEEDED_ROLE) == set(Permission)
