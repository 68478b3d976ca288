"""Keywords whose cost grows with the value or with the keyword's argument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptops_flows.json_schemas.evaluation import Applicator, Evaluation
from promptops_flows.json_schemas.patterns import compiled
from promptops_flows.json_schemas.problems import Outcome

Schema = Mapping[str, Any]

_INSTRUCTIONS_A_STEP = 200


def _required(
    evaluation: Evaluation, names: list[str], value: Any, _: Schema, outcome: Outcome
) -> None:
    if isinstance(value, dict):
        evaluation.spend(len(names))
        for name in names:
            if name not in value:
                outcome.add(f"{name!r} is a required property".__str__)


def _dependent_required(
    evaluation: Evaluation, names: Mapping[str, list[str]], value: Any, _: Schema, outcome: Outcome
) -> None:
    if not isinstance(value, dict):
        return
    for name, others in names.items():
        evaluation.spend(1 + len(others))
        for other in others if name in value else ():
            if other not in value:
                outcome.add(f"{other!r} is a dependency of {name!r}".__str__)


def _unique_items(
    evaluation: Evaluation, is_unique: bool, value: Any, _: Schema, outcome: Outcome
) -> None:
    if is_unique and isinstance(value, list):
        keys = {evaluation.equality_key(item) for item in value}
        if len(keys) < len(value):
            outcome.add(lambda: f"{value!r} has non-unique elements")


def _enum(
    evaluation: Evaluation, values: list[Any], value: Any, _: Schema, outcome: Outcome
) -> None:
    if evaluation.equality_key(value) not in evaluation.equality_keys(values, values):
        outcome.add(lambda: f"{value!r} is not one of {values!r}")


def _const(
    evaluation: Evaluation, expected: Any, value: Any, schema: Schema, outcome: Outcome
) -> None:
    if evaluation.equality_key(value) not in evaluation.equality_keys(schema, (expected,)):
        outcome.add(lambda: f"{expected!r} was expected")


def _pattern(evaluation: Evaluation, pattern: str, value: Any, _: Schema, outcome: Outcome) -> None:
    if not isinstance(value, str):
        return
    expression = compiled(pattern)
    evaluation.spend(len(value) * expression.programsize // _INSTRUCTIONS_A_STEP)
    if not expression.search(value):
        outcome.add(lambda: f"{value!r} does not match {pattern!r}")


COMPARISONS: Mapping[str, Applicator] = {
    "required": _required,
    "dependentRequired": _dependent_required,
    "uniqueItems": _unique_items,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
}
