import pytest

from promptops_flows.definitions import ModelStep, RenderStep, TransformStep
from promptops_flows.steps import MAX_TEXT_CHARACTERS, StepContext, StepError, run_step
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
