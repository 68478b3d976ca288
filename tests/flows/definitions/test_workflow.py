from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_flows.definitions.workflow import MAX_STEPS, parse_steps
from promptops_flows.steps.fields import DefinitionError
from promptops_flows.steps.model import MAX_FALLBACKS, CallModel
from promptops_flows.steps.models import ModelChoice
from promptops_flows.steps.plans import WorkflowPlan
from promptops_flows.steps.registry import STEP_TYPES
from promptops_flows.steps.render import MAX_TEMPLATE_CHARACTERS, Render
from promptops_flows.steps.step import Step
from promptops_flows.steps.transform import TRANSFORM_OPS, Transform
from promptops_providers.provider_names import PROVIDER_NAMES

TYPES = ", ".join(STEP_TYPES)
OPS = ", ".join(TRANSFORM_OPS)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NEARLY_STEPS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.text(max_size=5) | ANYTHING,
            "type": st.sampled_from(STEP_TYPES) | ANYTHING,
            "template": st.text(max_size=5) | ANYTHING,
            "provider": st.sampled_from(["mock", "openai", ""]) | ANYTHING,
            "model": st.text(max_size=5) | ANYTHING,
            "fallbacks": st.lists(
                st.fixed_dictionaries({"provider": st.sampled_from(["mock", "x"]) | ANYTHING})
                | ANYTHING,
                max_size=3,
            )
            | ANYTHING,
            "op": st.sampled_from(TRANSFORM_OPS) | ANYTHING,
            "expression": st.text(max_size=9) | ANYTHING,
            "needs": st.lists(st.text(max_size=2)) | ANYTHING,
            "key": st.text(max_size=3) | ANYTHING,
            "url": st.just("http://a/{{b}}") | st.text(max_size=9) | ANYTHING,
            "headers": st.dictionaries(st.text(max_size=3), st.text(max_size=3)) | ANYTHING,
            "body": ANYTHING,
            "step": st.fixed_dictionaries({"type": st.sampled_from(STEP_TYPES)}) | ANYTHING,
            "when": st.text(max_size=9) | ANYTHING,
            "then": st.lists(st.text(max_size=2)) | ANYTHING,
            "timeout": st.sampled_from(["1s", "9x"]) | ANYTHING,
            "prompt": ANYTHING,
        },
    )
    | ANYTHING,
    max_size=4,
)


def test_reads_the_three_types_of_step() -> None:
    definition = parse_steps(
        [
            {"name": "greet", "type": "render", "template": "Hi {{name}}"},
            {"name": "call", "type": "model", "provider": "openai", "model": "gpt-x"},
            {"name": "loud", "type": "transform", "op": "upper"},
        ]
    )
    assert definition.steps == (
        Step("greet", Render("Hi {{name}}")),
        Step("call", CallModel("openai", "gpt-x"), needs=(0,)),
        Step("loud", Transform("upper"), needs=(1,)),
    )


def test_accepts_what_existing_consoles_save() -> None:
    definition = parse_steps(
        [
            {"type": "render", "template": "a", "position": {"x": 1}},
            {"name": None, "type": "model", "provider": "", "model": None},
            {"name": "", "type": "model"},
            {"name": "same", "type": "transform", "op": "trim"},
            {"name": "same", "type": "transform", "op": "lower"},
            {"name": "empty", "type": "render"},
        ]
    )
    assert definition.steps[1].action == definition.steps[2].action == CallModel("mock", "")
    assert (definition.steps[5].name, definition.steps[5].action) == ("empty", Render(""))


def test_a_definition_may_have_no_steps() -> None:
    assert parse_steps([]) == WorkflowPlan(())


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (None, "steps is null, give a list of step objects"),
        ({}, "steps is an object, give a list of step objects"),
        ("[]", "steps is the text '[]', give a list of step objects"),
        (["render"], "step 1 is the text 'render', give an object with name and type"),
        ([True], "step 1 is true, give an object with name and type"),
        (
            [{"type": "render"}, {"name": "x", "type": "email"}],
            f"step 2 (x): type 'email' is unknown, use one of {TYPES}",
        ),
        ([{}], f"step 1: type is missing, use one of {TYPES}"),
        ([{"type": 3}], f"step 1: type is a number, use one of {TYPES}"),
        (
            [{"name": "loud", "type": "transform", "op": "shout"}],
            f"step 1 (loud): op 'shout' is unknown, use one of {OPS}",
        ),
        ([{"type": "transform"}], f"step 1: op is missing, use one of {OPS}"),
        (
            [{"type": "transform", "op": ""}],
            f"step 1: op '' is unknown, use one of {OPS}",
        ),
        ([{"type": "render", "template": ["a"]}], "step 1: template is a list, give a string"),
        ([{"name": 7, "type": "render"}], "step 1: name is a number, give a string"),
        (
            [{"type": "model", "provider": "watson"}],
            f"step 1: provider 'watson' is unknown, use one of {', '.join(PROVIDER_NAMES)}",
        ),
        ([{"type": "model", "model": {}}], "step 1: model is an object, give a string"),
        (
            [{"name": "big", "type": "render", "template": "x" * (MAX_TEMPLATE_CHARACTERS + 1)}],
            "step 1 (big): template has 1,048,577 characters, "
            "at most 1,048,576 are allowed, shorten it",
        ),
        (
            [{"type": "render"}] * (MAX_STEPS + 1),
            "steps has 201 steps, at most 200 are allowed, split the workflow",
        ),
        (
            [{"name": "n" * 201, "type": "render"}],
            "step 1: name has 201 characters, at most 200 are allowed, shorten it",
        ),
        (
            [{"type": "e\nmail" + "x" * 99}],
            f"step 1: type 'e\ufffdmail{'x' * 34}…' is unknown, use one of {TYPES}",
        ),
    ],
)
def test_the_error_names_place_problem_and_remedy(raw: object, sentence: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_steps(raw)
    assert str(caught.value) == sentence


def test_the_largest_template_is_accepted() -> None:
    definition = parse_steps([{"type": "render", "template": "x" * MAX_TEMPLATE_CHARACTERS}])
    assert len(definition.steps) == 1


@given(NEARLY_STEPS | ANYTHING)
def test_any_input_is_parsed_or_refused_in_one_line(raw: Any) -> None:
    try:
        read = len(parse_steps(raw).steps)
    except DefinitionError as error:
        complaint = str(error)
    else:
        complaint = ""
        assert read == len(raw)
    assert complaint.isprintable()


def test_a_provider_may_be_a_connection_that_the_caller_names() -> None:
    raw = [{"type": "model", "provider": "team-gpt", "fallbacks": [{"provider": "mock"}]}]
    with pytest.raises(DefinitionError, match="provider 'team-gpt' is unknown, use one of mock, o"):
        parse_steps(raw)
    definition = parse_steps(raw, ["team-gpt", "openai"])
    assert definition.providers == {"team-gpt", "mock"}


def test_fallbacks_keep_their_order() -> None:
    step = {
        "type": "model",
        "provider": "openai",
        "model": "gpt-x",
        "fallbacks": [{"provider": "claude", "model": "c"}, {"provider": "mock", "model": None}],
    }
    definition = parse_steps([step, {"type": "model", "fallbacks": None}])
    first, second = definition.steps
    assert first.action.models == (
        ModelChoice("openai", "gpt-x"),
        ModelChoice("claude", "c"),
        ModelChoice("mock", ""),
    )
    assert second.action == CallModel("mock", "")
    assert definition.providers == {"openai", "claude", "mock"}


@pytest.mark.parametrize(
    ("fallbacks", "complaint"),
    [
        ("mock", "fallbacks is the text 'mock', give a list of objects"),
        (["mock"], "fallbacks contains the text 'mock', give a list of objects"),
        ([{}], "fallbacks 1: provider is missing, use one of mock"),
        ([{"provider": "mock"}, {"provider": "x"}], "fallbacks 2: provider 'x' is unknown, use"),
        ([{"provider": "mock", "model": 5}], "fallbacks 1: model is a number, give a string"),
        ([{"provider": "mock"}] * (MAX_FALLBACKS + 1), "fallbacks contains 6 objects, at most 5"),
    ],
)
def test_the_error_describes_an_invalid_fallback(fallbacks: object, complaint: str) -> None:
    step = {"name": "call", "type": "model", "fallbacks": fallbacks}
    with pytest.raises(DefinitionError) as caught:
        parse_steps([step])
    assert str(caught.value).startswith(f"step 1 (call): {complaint}")
