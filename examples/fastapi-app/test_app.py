"""The service without a server: the client comes from `promptops.testing`."""

from collections.abc import Iterator

import pytest
from app import app, prompts
from fastapi.testclient import TestClient

from promptops.testing import AsyncFakePromptOps


@pytest.fixture
def fake() -> Iterator[AsyncFakePromptOps]:
    fake = AsyncFakePromptOps({"example-welcome": "Welcome, {{name}}."})
    app.dependency_overrides[prompts] = lambda: fake
    yield fake
    app.dependency_overrides.clear()


def test_the_prompt_is_served(fake: AsyncFakePromptOps) -> None:
    assert TestClient(app).get("/welcome/Ada").text == "Welcome, Ada."


def test_without_the_platform_there_is_a_default() -> None:
    app.dependency_overrides[prompts] = lambda: AsyncFakePromptOps({})
    assert TestClient(app).get("/welcome/Ada").text == "Welcome."
