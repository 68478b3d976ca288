"""What a run gets for the providers that it names."""

from typing import Any, get_args

import pytest

from harness.connections import SECRET, new_connection, new_name
from harness.people import new_workspace
from harness.platform import RunningPlatform
from promptops_platform.access.actor import SYSTEM, Actor
from promptops_platform.access.permissions import Role
from promptops_platform.errors import BadRequest, NotFound
from promptops_platform.providers.schemas import Kind
from promptops_providers.gateway import Credentials, Target
from promptops_providers.provider_names import PROVIDER_NAMES

HERE, THERE = "http://localhost:11434", "http://localhost:9"


async def targets(
    platform: RunningPlatform,
    *models: tuple[str, str],
    workspace: str = "default",
    actor: Actor = SYSTEM,
    **own: Any,
) -> list[Target]:
    return platform.platform.providers.lookup.targets(workspace, models, actor=actor, **own)


async def names(platform: RunningPlatform, workspaces: list[str] | None) -> list[str]:
    return platform.platform.providers.lookup.names(workspaces)


async def new_ollama(platform: RunningPlatform, **fields: Any) -> str:
    settings = {"kind": "ollama", "base_url": HERE, "model": "llama3", **fields}
    return str((await new_connection(platform, **settings))["name"])


def test_a_connection_may_be_of_every_kind_that_there_is() -> None:
    assert set(get_args(Kind)) == set(PROVIDER_NAMES)


async def test_a_connection_brings_its_kind_model_key_and_address(
    platform: RunningPlatform,
) -> None:
    name = await new_ollama(platform)
    stored = Credentials(SECRET, HERE)
    assert await targets(platform, (name, ""), (name, "phi")) == [
        Target(name, "llama3", "ollama", stored),
        Target(name, "phi", "ollama", stored),
    ]


async def test_a_built_in_name_is_the_connection_of_that_name_or_has_no_key(
    platform: RunningPlatform,
) -> None:
    workspace = await new_workspace(platform)
    assert await targets(platform, ("openai", "gpt"), workspace=workspace) == [
        Target("openai", "gpt", "openai")
    ]
    await new_connection(platform, name="openai", kind="openai", workspace=workspace)
    assert await targets(platform, ("openai", ""), workspace=workspace) == [
        Target("openai", "", "openai", Credentials(SECRET))
    ]


async def test_the_callers_own_is_for_the_first_one_and_never_mixed(
    platform: RunningPlatform,
) -> None:
    name = await new_ollama(platform)
    chain = ((name, ""), (name, ""))
    stored = Credentials(SECRET, HERE)
    for own, expected in (
        ({}, stored),
        ({"api_key": "", "base_url": ""}, stored),
        ({"api_key": "own"}, Credentials("own", HERE)),
        ({"base_url": THERE}, Credentials(None, THERE)),
        ({"api_key": "own", "base_url": THERE}, Credentials("own", THERE)),
    ):
        used = [target.credentials for target in await targets(platform, *chain, **own)]
        assert used == [expected, stored], own


async def test_an_address_that_is_not_allowed_is_refused_but_for_the_mock(
    platform: RunningPlatform,
) -> None:
    with pytest.raises(BadRequest, match=r"^base_url: host evil\.example is not allowed"):
        await targets(platform, ("openai", ""), base_url="https://evil.example")
    assert await targets(platform, ("mock", ""), base_url="https://evil.example")


async def test_an_unknown_provider_names_the_known_ones_of_the_workspace(
    platform: RunningPlatform,
) -> None:
    workspace, elsewhere = await new_workspace(platform), await new_workspace(platform)
    name = await new_ollama(platform, workspace=workspace)
    for unknown in ("watson", name):
        with pytest.raises(BadRequest, match=r"is unknown in this workspace; use one of") as it:
            await targets(platform, ("mock", ""), (unknown, ""), workspace=elsewhere)
        assert it.value.sentence.endswith(f"use one of {', '.join(PROVIDER_NAMES)}")
    with pytest.raises(BadRequest, match=f"{PROVIDER_NAMES[-1]}, {name}$"):
        await targets(platform, ("watson", ""), workspace=workspace)


async def test_a_workspace_that_is_closed_to_the_caller_is_not_there(
    platform: RunningPlatform,
) -> None:
    workspace = await new_workspace(platform, "restricted")
    outsider = Actor("out", Role.EDITOR, user_id="out")
    with pytest.raises(NotFound, match="workspace"):
        await targets(platform, ("mock", ""), workspace=workspace, actor=outsider)


async def test_names_are_the_built_in_ones_then_those_of_connections(
    platform: RunningPlatform,
) -> None:
    one, two = await new_workspace(platform), await new_workspace(platform)
    last, first = f"z-{new_name()[-9:]}", f"a-{new_name()[-9:]}"
    for name in (last, first):
        await new_ollama(platform, name=name, workspace=one)
    await new_ollama(platform, name=first, workspace=two)
    await new_ollama(platform, name="ollama", workspace=two)
    assert await names(platform, [one]) == [*PROVIDER_NAMES, first, last]
    assert await names(platform, [two]) == [*PROVIDER_NAMES, first]
    assert await names(platform, []) == list(PROVIDER_NAMES)
    everywhere = await names(platform, None)
    assert everywhere[: len(PROVIDER_NAMES)] == list(PROVIDER_NAMES)
    assert {first, last} <= set(everywhere)
    assert len(everywhere) == len(set(everywhere))
