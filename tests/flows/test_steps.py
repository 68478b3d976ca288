import pytest

from promptops_flows.definitions import ModelChoice, ModelStep, RenderStep, TransformStep
from promptops_flows.steps import MAX_TEXT_CHARACTERS, StepContext, StepError, run_step
from promptops_flows.wire import Connection
from promptops_providers.gateway import Credentials, Target
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import Usage

# Opens no connection for the mock provider.
GATEWAY = Gateway()


async def render(template: str, incoming: str = "", **variables: object) -> str:
    output = await run_step(RenderStep("r", template), incoming, StepContext(variables, GATEWAY))
    return output.text


async def test_render_takes_variables_and_the_incoming_text() -> None:
    assert await render("{{a}} {{input}} {{gone}}", "text", a=1) == "1 text {{gone}}"


async def test_a_variable_named_input_wins() -> None:
    assert await render("{{input}}", "incoming", input="mine") == "mine"


async def test_a_variable_named_input_that_is_null_is_not_given() -> None:
    assert await render("{{input}}", "incoming", input=None) == "incoming"


async def test_an_empty_variable_named_input_is_given() -> None:
    assert await render("[{{input}}]", "incoming", input="") == "[]"


async def test_the_first_step_has_an_empty_input() -> None:
    assert await render("[{{input}}]") == "[]"


async def test_a_text_that_would_not_end_is_refused_before_it_is_made() -> None:
    half = "x" * (MAX_TEXT_CHARACTERS // 2 + 1)
    with pytest.raises(StepError, match="longer than 1,048,576 characters, shorten the template"):
        await render("{{input}}{{input}}", half)
    with pytest.raises(StepError, match="longer than"):
        await render("{{v}}" * 1000, v=["y" * 5_000])


async def test_a_value_without_json_form_is_a_sentence() -> None:
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
    step = TransformStep("t", op)  # type: ignore[arg-type]
    assert (await run_step(step, text, StepContext({}, GATEWAY))).text == expected


async def test_model_reports_who_answered_and_what_it_took() -> None:
    output = await run_step(ModelStep("m", "mock", ""), "Hello\nmore", StepContext({}, GATEWAY))
    assert output.text == "[mock completion] Hello"
    assert (output.provider, output.model) == ("mock", "mock-1")
    assert output.usage == Usage(3, 6, estimated=True)


async def test_a_provider_that_is_not_there_fails_the_step_with_its_sentence() -> None:
    context = StepContext({}, GATEWAY, api_key="sk-secret")
    with pytest.raises(
        StepError, match=r"^provider 'watson' is unknown, use one of mock, openai"
    ) as it:
        await run_step(ModelStep("m", "watson", "gpt-x"), "a", context)
    assert "sk-secret" not in str(it.value) + repr(context)


TEAM = Connection("team", "openai-compatible", "sk-stored", "http://stored", "own-model", 9, 99)
CHAIN = ModelStep("m", "team", "", fallbacks=(ModelChoice("team", "x"), ModelChoice("mock", "")))


def targets(**own: str) -> list[Target]:
    return StepContext({}, GATEWAY, connections={"team": TEAM}, **own).targets(CHAIN.choices)


def test_a_step_is_reached_by_the_connection_of_its_providers_name() -> None:
    stored = Credentials("sk-stored", "http://stored")
    assert targets() == [
        Target("team", "own-model", "openai-compatible", stored, 9, 99),
        Target("team", "x", "openai-compatible", stored, 9, 99),
        Target("mock", "", "mock"),
    ]


def test_the_callers_own_key_and_address_are_for_the_first_choice_alone() -> None:
    first, *others = targets(base_url="http://own")
    assert first.credentials == Credentials(None, "http://own")
    assert others == targets()[1:]
    assert targets(api_key="sk-own")[0].credentials == Credentials("sk-own", "http://stored")


async def test_a_fallback_answers_under_its_own_name() -> None:
    step = ModelStep("m", "mock", "mock-fail-overloaded", fallbacks=(ModelChoice("spare", ""),))
    context = StepContext({}, GATEWAY, connections={"spare": Connection("spare", "mock")})
    output = await run_step(step, "Hello", context)
    assert (output.text, output.provider) == ("[mock completion] Hello", "spare")


def test_a_context_shows_no_key() -> None:
    context = StepContext({}, GATEWAY, api_key="sk-own", connections={"team": TEAM})
    assert "sk-" not in repr(context)
