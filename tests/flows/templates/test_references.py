"""Outputs of steps in templates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_flows.templates.language import render_template
from promptops_flows.templates.references import (
    MissingOutputError,
    Reference,
    Scope,
    names_in,
    only_name,
    reference_in,
    render_step_template,
)

SCOPE = Scope(
    {"who": "Ada", "none": None},
    "the input",
    {"call": {"items": [{"name": "x"}], "n": 0, "nil": None}, "the step": "T", "a-b": "hyphen"},
)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{who}} {{ input }}", "Ada the input"),
        ("{{steps.call.output.items[0].name}}", "x"),
        ("{{ steps.call.output.items }}", '[{"name":"x"}]'),
        ('{{steps["the step"].output}}', "T"),
        ("{{steps.a-b.output}}", "hyphen"),
        ("{{steps.call.output.n}}[{{steps.call.output.nil}}]", "0[]"),
        (
            "{{none}} {{gone}} {{steps}} {{a-b}} {{x[0]}}",
            "{{none}} {{gone}} {{steps}} {{a-b}} {{x[0]}}",
        ),
    ],
)
def test_renders(template: str, text: str) -> None:
    assert render_step_template(template, SCOPE) == text


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{{steps.other.output}}", "'steps.other.output' reads a step that did not run before"),
        ("{{steps.call.output.items[1]}}", "'steps.call.output.items[1]' doesn't exist: there is"),
        ("{{steps.call.output.x.y}}", "doesn't exist: there is no 'x'"),
        ("{{steps.call}}", "'steps.call' doesn't refer to an output; write steps.NAME.output"),
        (
            "{{steps.call.text}}",
            "'steps.call.text' doesn't refer to an output; write steps.NAME.output",
        ),
    ],
)
def test_the_error_names_the_missing_output(template: str, sentence: str) -> None:
    with pytest.raises(MissingOutputError) as caught:
        render_step_template(template, SCOPE)
    assert sentence in str(caught.value)


def test_a_variable_with_the_whole_name_takes_precedence() -> None:
    scope = Scope({"steps.call.output": "mine"}, "", SCOPE.outputs)
    assert render_step_template("{{steps.call.output}}", scope) == "mine"


def test_reads_references() -> None:
    assert reference_in('steps.call.output.a[2]["b c"]') == Reference("call", ("a", 2, "b c"))
    assert reference_in("stepsister") is None
    assert names_in("{{a}}{{steps.b.output}}{{a}}{{²}}") == ["a", "steps.b.output"]
    assert only_name(" {{ steps.b.output }} ") == "steps.b.output"
    assert only_name("{{a}}{{b}}") is None


@given(st.text('{}[]"steps.-_ab0 \n', max_size=60))
def test_other_placeholders_are_rendered_as_usual(template: str) -> None:
    variables = {"a": "1", "b": "2", "s": "3"}
    if any(name.startswith(("steps.", "steps[")) for name in names_in(template)):
        return
    assert render_step_template(template, Scope(variables)) == render_template(template, variables)


def test_takes_time_proportional_to_the_template() -> None:
    for part in ("{{steps", "{{steps.a", '{{steps["', "{{steps[0]", "{{ a", "{{steps.a-"):
        render_step_template(part * 50_000, Scope({}))
