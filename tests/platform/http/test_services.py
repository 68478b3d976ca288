"""What routes ask the platform for."""

import re
from pathlib import Path

import pytest

import promptops_platform
from harness.platform import RunningPlatform
from promptops_platform.http.services import Services

SOURCES = Path(promptops_platform.__path__[0])
ASKED_FOR = re.compile(r"(?:provided|services_of\(request\)\.get)\(([A-Z]\w+)\)")


def test_a_service_is_found_by_its_class() -> None:
    services = Services("text", 5)
    assert services.get(int) == 5
    with pytest.raises(LookupError, match="no float was added"):
        services.get(float)
    with pytest.raises(ValueError, match="a str was added before"):
        services.add("another text")


def test_every_service_that_a_route_asks_for_is_there(platform: RunningPlatform) -> None:
    classes = {type(service).__name__ for service in platform.platform.services()}
    asked_for = {
        name
        for path in SOURCES.glob("*/*endpoints.py")
        for name in ASKED_FOR.findall(path.read_text())
    } - {"ApiDocument", "versions"}
    # The routes that `add_version_routes` adds.
    asked_for |= {"AgentVersions", "WorkflowVersions"}
    assert len(asked_for) > 30
    assert asked_for <= classes


def test_routes_find_services_by_their_class_only() -> None:
    for path in SOURCES.rglob("*.py"):
        if path.name not in {"app.py", "services.py"}:
            assert "app.state" not in path.read_text(), f"{path} reads app.state"
