"""The dependencies and references of steps, checked when a definition is parsed."""

from typing import Any

import pytest

from promptops_flows.definitions.graph import predecessors
from promptops_flows.definitions.workflow import read_workflow

A: dict[str, Any] = {"name": "a", "type": "render", "template": "A"}
B: dict[str, Any] = {"name": "b", "type": "render", "template": "B"}


def problems(*steps: dict[str, Any], **fields: Any) -> list[str]:
    return [str(error) for error in read_workflow({"steps": list(steps), **fields}).problems]


def test_in_a_plain_list_each_step_needs_the_previous_one() -> None:
    plan = read_workflow({"steps": [A, A, B]}).plan
    assert plan is not None
    assert [step.needs for step in plan.steps] == [(), (0,), (1,)]
    assert plan.is_list


def test_in_a_graph_a_step_without_needs_begins_at_once() -> None:
    plan = read_workflow({"steps": [A, B, {**A, "name": "c", "needs": ["a", "b", "a"]}]}).plan
    assert plan is not None
    assert [step.needs for step in plan.steps] == [(), (), (0, 1)]
    assert predecessors(plan.steps)[2] == {0, 1}


def test_a_plain_list_may_have_equal_and_empty_names() -> None:
    assert problems(A, A, {"type": "render"}) == []


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([{"type": "render"}, {**B, "needs": []}], "step 1: name is missing; every step needs one"),
        ([A, {**A, "needs": []}], "step 2 (a): name is also the name of step 1; change one"),
        ([{**A, "needs": ["a"]}], "step 1 (a): needs names the step itself; leave it out"),
        ([A, {**B, "needs": ["x"]}], "step 2 (b): needs names 'x', which is not a step; the steps"),
        (
            [{**A, "needs": ["b"]}, {**B, "needs": ["a"]}],
            "step 1 (a): needs form a cycle, 'a' → 'b' → 'a'; remove one of them",
        ),
        ([{**A, "needs": "b"}], "step 1 (a): needs must be a list of names of steps"),
        (
            [A, {**B, "template": "{{steps.x.output}}"}],
            "step 2 (b): template reads 'steps.x.output', but there is no such step; the steps are",
        ),
        (
            [{**A, "template": "{{steps.b.output}}"}, B],
            "step 1 (a): template reads 'steps.b.output', which may not have run yet; add it",
        ),
        (
            [{**A, "needs": []}, {**B, "template": "{{steps.a.output}}"}],
            "step 2 (b): template reads 'steps.a.output', which may not have run yet; add it",
        ),
        (
            [A, {**B, "template": "{{steps.a}}"}],
            "step 2 (b): template is wrong: 'steps.a' doesn't refer to an output; write steps.",
        ),
        ([{**A, "retries": 11}], "step 1 (a): retries is 11, give a number 0 to 10"),
        ([{**A, "retries": "3"}], "step 1 (a): retries is the text '3', give a number 0 to 10"),
        (
            [{**A, "timeout": "soon"}],
            "step 1 (a): timeout is the text 'soon', give a duration such as 500ms, 30s, 2m, 1h",
        ),
        ([{**A, "timeout": "2d"}], "step 1 (a): timeout must be more than 0 and at most 86400"),
        ([{**A, "continue_on_error": 1}], "step 1 (a): continue_on_error is a number, give true"),
        ([{**A, "concurrency": "k:x"}], "step 1 (a): concurrency 'k:x' can't be read, write a key"),
    ],
)
def test_the_error_names_the_step_and_the_remedy(
    steps: list[dict[str, Any]], sentence: str
) -> None:
    (first, *_) = problems(*steps)
    assert first.startswith(sentence)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"output": "x"}, "output 'x' is not a step; name a step, or give a template with"),
        ({"output": ["a"]}, "output is a list; name a step, or give a template with"),
        ({"output": "{{steps.x.output}}"}, "output reads 'steps.x.output', but there is no such"),
        ({"timeout": "later"}, "timeout is the text 'later', give a duration of at most a day"),
    ],
)
def test_the_error_describes_the_problem_of_the_workflow(
    fields: dict[str, Any], sentence: str
) -> None:
    (first,) = problems(A, **fields)
    assert first.startswith(sentence)


def test_ten_thousand_steps_are_refused_and_a_long_chain_is_not() -> None:
    assert problems(*[A] * 10_000) == [
        "steps has 10000 steps, at most 200 are allowed, split the workflow"
    ]
    chain = [{**A, "name": f"s{at}", "needs": [f"s{at - 1}"] if at else []} for at in range(200)]
    assert problems(*chain) == []


def test_unknown_fields_are_warnings() -> None:
    step = {**A, "retrys": 3, "position": {"x": 1}}
    fallback = {"name": "m", "type": "model", "fallbacks": [{"provider": "mock", "modell": "x"}]}
    assert read_workflow({"steps": [step, fallback]}).warnings == (
        "step 1 (a): field 'retrys' is unknown and has no effect",
        "step 1 (a): field 'position' is unknown and has no effect",
        "step 2 (m): fallbacks 1: field 'modell' is unknown and has no effect",
    )
