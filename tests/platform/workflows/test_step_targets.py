"""Which steps run an agent or another workflow."""

from typing import Any

import pytest

from promptops_platform.workflows.step_targets import TargetUse, target_use
from promptops_platform.workflows.tables import WorkflowRow


def _use(*steps: dict[str, Any]) -> TargetUse:
    return target_use(WorkflowRow(steps=list(steps)), "agent", "helper")


def test_steps_count_from_1_and_a_map_counts_by_what_it_runs() -> None:
    call = {"type": "agent", "key": "helper"}
    use = _use(
        {"type": "render", "template": "helper"},
        call,
        {"type": "map", "over": "[]", "step": call},
        {"type": "workflow", "key": "helper"},
        {"type": "agent", "key": "other"},
    )
    assert use.steps == [2, 3]


@pytest.mark.parametrize(
    ("versions", "pinned"),
    [((3, 3), "3"), ((3, 4), None), ((3, None), None), ((None,), None), (("v2",), "v2")],
)
def test_a_version_is_named_where_all_steps_name_it(versions: tuple[Any, ...], pinned: str) -> None:
    use = _use(*({"type": "agent", "key": "helper", "version": version} for version in versions))
    assert use.version == pinned
