import pytest

from harness.engine import agent, workflow
from promptops_flows.protocol.engine_client import Checkpoint
from promptops_flows.steps.context import StepOutput
from promptops_flows.steps.plans import AgentPlan, WorkflowPlan
from promptops_platform.execution.reuse import without_failed

NAMES = ("one", "two", "three", "four")


def kept(*failed: str) -> list[Checkpoint]:
    return [
        Checkpoint(at, name, "render", StepOutput(name, failed=name in failed))
        for at, name in enumerate(NAMES, 1)
    ]


def plan_of(needs: dict[str, list[str]] | None) -> WorkflowPlan:
    steps = [
        {
            "name": name,
            "type": "render",
            "template": ".",
            **({"needs": needs[name]} if needs else {}),
        }
        for name in NAMES
    ]
    plan = workflow(steps).plan
    assert isinstance(plan, WorkflowPlan)
    return plan


GRAPH = {"one": [], "two": [], "three": ["two"], "four": ["three", "one"]}


@pytest.mark.parametrize(
    ("needs", "failed", "left"),
    [
        (None, (), [1, 2, 3, 4]),
        (None, ("three",), [1, 2]),
        (None, ("three", "one"), []),
        (GRAPH, ("one",), [2, 3]),
        (GRAPH, ("two",), [1]),
        (GRAPH, ("three", "one"), [2]),
    ],
)
def test_a_failed_step_goes_with_all_that_depend_on_it(
    needs: dict[str, list[str]] | None, failed: tuple[str, ...], left: list[int]
) -> None:
    checkpoints = without_failed(plan_of(needs), kept(*failed))
    assert [checkpoint.index for checkpoint in checkpoints] == left


def test_what_an_agent_was_told_of_a_failed_tool_stays() -> None:
    plan = agent().plan
    assert isinstance(plan, AgentPlan)
    assert without_failed(plan, kept("two")) == kept("two")
