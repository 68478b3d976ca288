"""Changes of agents and workflows in an environment that asks for approvals."""

from typing import Any

import pytest

from harness.change_requests import Team, decide, proposed
from harness.definitions import KINDS, Definition, new_definition
from harness.people import sent


async def applied(team: Team, request: dict[str, Any]) -> None:
    sent(await decide(team.bob, request, "approve"))
    sent(await decide(team.ada, request, "apply"))


async def propose(team: Team, definition: Definition, action: str, **body: Any) -> dict[str, Any]:
    return proposed(await team.ada.post(f"{definition.url}/{action}", json=body))


@pytest.mark.parametrize("kind", KINDS)
async def test_definitions_wait_for_approvals_too(team: Team, kind: str) -> None:
    definition = await new_definition(team.platform, kind, workspace=team.workspace)
    await definition.publish()
    await definition.publish(env="prod")
    await team.guard()
    await definition.edit("two")
    request = await propose(team, definition, "publish", env="prod", note="Why not.")
    assert (request["kind"], request["before_version"], request["after_version"]) == (
        kind,
        "1",
        "2",
    )
    assert "two" in request["diff"]["definition"]["text"]
    assert (await definition.read())["served"] == {"dev": 1, "prod": 1}
    await applied(team, request)
    assert (await definition.read())["served"] == {"dev": 1, "prod": 2}
    await applied(team, await propose(team, definition, "rollback", env="prod", version=1))
    assert (await definition.read())["served"] == {"dev": 1, "prod": 1}
    await definition.edit("three")
    sent(await team.ada.post(f"{definition.url}/publish", json={"env": "dev"}))
    promotion = await propose(team, definition, "promote", env="prod")
    number = (await definition.read())["served"]["dev"]
    assert promotion["after_version"] == str(number)
    await applied(team, promotion)
    assert (await definition.read())["served"]["prod"] == number
    planned = await team.ada.post(
        f"{definition.url}/promote", json={"env": "prod", "publish": False}
    )
    assert planned.status_code == 200, "a plan changes nothing"


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_served_is_not_deleted_without_approvals(team: Team, kind: str) -> None:
    definition = await new_definition(team.platform, kind, workspace=team.workspace)
    await definition.publish(env="prod")
    await team.guard()
    request = proposed(await team.ada.delete(definition.url))
    assert (request["action"], request["after"]["content"]) == ("delete", None)
    assert (await team.ada.get(definition.url)).status_code == 200
    await applied(team, request)
    assert (await team.ada.get(definition.url)).status_code == 404
    assert sent(await team.ada.get(f"/api/change-requests/{request['id']}"))["state"] == "applied"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_definition_that_was_never_published_is_edited_as_ever(
    team: Team, kind: str
) -> None:
    await team.guard(env="dev")
    definition = await new_definition(team.platform, kind, workspace=team.workspace)
    assert (await definition.edit("two"))["version"] == 2
    request = await propose(team, definition, "publish")
    assert (request["env"], request["before_version"], request["after_version"]) == (
        "dev",
        None,
        "2",
    )
    await definition.edit("three")
    outdated = sent(await team.bob.get(f"/api/change-requests/{request['id']}"))["outdated"]
    assert outdated == f"the draft of '{definition.key}' was edited since this was proposed"
