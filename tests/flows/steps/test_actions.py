from typing import Any

import pytest

from promptops_flows.steps.context import ModelAccess, StepContext, StepError
from promptops_flows.steps.model import CallModel
from promptops_flows.steps.models import Connection, ModelChoice
from promptops_flows.steps.render import Render
from promptops_flows.steps.transform import Transform
from promptops_flows.templates.bounded import MAX_TEXT_CHARACTERS
from promptops_flows.templates.references import Scope
from promptops_providers.gateway import Credentials, Target
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import Usage

# Opens no connection for the mock provider.
GATEWAY = Gateway()
NOTHING: Any = None


def context(**own: Any) -> StepContext:
    """The context of steps that need at most models."""
    return StepContext(ModelAccess(**own), GATEWAY, NOTHING, NOTHING, NOTHING)


async def render(template: str, incoming: str = "", **variables: object) -> str:
    output = await Render(template).run(Scope(variables, incoming), context())
    return output.text


async def test_render_uses_variables_and_the_incoming_text() -> None:
    assert await render("{{a}} {{input}} {{gone}}", "text", a=1) == "1 text {{gone}}"


async def test_a_variable_named_input_wins() -> None:
    assert await render("{{input}}", "incoming", input="mine") == "mine"


async def test_a_variable_named_input_that_is_null_counts_as_missing() -> None:
    assert await render("{{input}}", "incoming", input=None) == "incoming"


async def test_an_empty_variable_named_input_is_used() -> None:
    assert await render("[{{input}}]", "incoming", input="") == "[]"


async def test_the_first_step_has_an_empty_input() -> None:
    assert await render("[{{input}}]") == "[]"


async def test_a_huge_text_is_refused_before_it_is_rendered() -> None:
    half = "x" * (MAX_TEXT_CHARACTERS // 2 + 1)
    with pytest.raises(StepError, match="longer than 1,048,576 characters, shorten the template"):
        await render("{{input}}{{input}}", half)
    with pytest.raises(StepError, match="longer than"):
        await render("{{v}}" * 1000, v=["y" * 5_000])


async def test_a_value_without_json_form_is_reported() -> None:
    with pytest.raises(StepError, match="'v'"):
        await render("{{v}}", v={1, 2})


@pytest.mark.parametrize(
    ("op", "text", "expected"),
    [
        ("upper", "straße ä", "STRASSE Ä"),
        ("lower", "ÄB", "äb"),
        ("trim", " \t\n a b \u00a0", "a b"),
    ],
)
async def test_transform(op: str, text: str, expected: str) -> None:
    step = Transform(op)  # type: ignore[arg-type]
    assert (await step.run(Scope({}, text), context())).text == expected


async def test_model_reports_provider_and_usage() -> None:
    output = await CallModel("mock", "").run(Scope({}, "Hello\nmore"), context())
    assert output.text == "[mock completion] Hello"
    assert (output.provider, output.model) == ("mock", "mock-1")
    assert output.usage == Usage(3, 6, estimated=True)


async def test_a_missing_provider_fails_the_step_with_a_reason() -> None:
    own = context(api_key="sk-secret")
    with pytest.raises(
        StepError, match=r"^provider 'watson' is unknown, use one of mock, openai"
    ) as it:
        await CallModel("watson", "gpt-x").run(Scope({}, "a"), own)
    assert "sk-secret" not in str(it.value) + repr(own)


TEAM = Connection("team", "openai-compatible", "sk-stored", "http://stored", "own-model", 9, 99)
CHAIN = CallModel("team", "", fallbacks=(ModelChoice("team", "x"), ModelChoice("mock", "")))


def targets(**own: str) -> list[Target]:
    return ModelAccess(connections={"team": TEAM}, **own).targets(CHAIN.models)


def test_a_step_uses_the_connection_with_its_providers_name() -> None:
    stored = Credentials("sk-stored", "http://stored")
    assert targets() == [
        Target("team", "own-model", "openai-compatible", stored, 9, 99),
        Target("team", "x", "openai-compatible", stored, 9, 99),
        Target("mock", "", "mock"),
    ]


def test_the_callers_own_key_and_address_apply_only_to_the_first_choice() -> None:
    first, *others = targets(base_url="http://own")
    assert first.credentials == Credentials(None, "http://own")
    assert others == targets()[1:]
    assert targets(api_key="sk-own")[0].credentials == Credentials("sk-own", "http://stored")


async def test_a_fallback_is_reported_by_its_own_name() -> None:
    step = CallModel("mock", "mock-fail-overloaded", fallbacks=(ModelChoice("spare", ""),))
    spare = context(connections={"spare": Connection("spare", "mock")})
    output = await step.run(Scope({}, "Hello"), spare)
    assert (output.text, output.provider) == ("[mock completion] Hello", "spare")


def test_a_context_shows_no_key() -> None:
    assert "sk-" not in repr(context(api_key="sk-own", connections={"team": TEAM}))
