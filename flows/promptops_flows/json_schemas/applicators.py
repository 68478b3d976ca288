"""Keywords that apply schemas to a value or to its members."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from promptops_flows.json_schemas.evaluation import Applicator, Evaluation
from promptops_flows.json_schemas.problems import Outcome

Schema = Mapping[str, Any]


def _reference(
    evaluation: Evaluation, reference: str, value: Any, _: Schema, outcome: Outcome
) -> None:
    evaluation.join(evaluation.evaluate_reference(reference, value), outcome)


def _all_of(
    evaluation: Evaluation, schemas: list[Any], value: Any, _: Schema, outcome: Outcome
) -> None:
    for schema in schemas:
        evaluation.join(evaluation.evaluate(schema, value), outcome)


def _any_of(
    evaluation: Evaluation, schemas: list[Any], value: Any, _: Schema, outcome: Outcome
) -> None:
    fits = False
    for schema in schemas:
        inner = evaluation.evaluate(schema, value)
        if not inner.problems:
            fits = True
            evaluation.join(inner, outcome)
            if not evaluation.keeps_members:
                return
    if not fits:
        outcome.add(lambda: f"{value!r} is not valid under any of the given schemas")


def _one_of(
    evaluation: Evaluation, schemas: list[Any], value: Any, _: Schema, outcome: Outcome
) -> None:
    fitting = []
    for schema in schemas:
        inner = evaluation.evaluate(schema, value)
        if not inner.problems:
            fitting.append(schema)
            evaluation.join(inner, outcome)
    if not fitting:
        outcome.add(lambda: f"{value!r} is not valid under any of the given schemas")
    elif len(fitting) > 1:
        shown = [*fitting[1:], fitting[0]]
        outcome.add(lambda: f"{value!r} is valid under each of {', '.join(map(repr, shown))}")


def _not(evaluation: Evaluation, refused: Any, value: Any, _: Schema, outcome: Outcome) -> None:
    if not evaluation.evaluate(refused, value).problems:
        outcome.add(lambda: f"{value!r} should not be valid under {refused!r}")


def _if(
    evaluation: Evaluation, condition: Any, value: Any, schema: Schema, outcome: Outcome
) -> None:
    tested = evaluation.evaluate(condition, value)
    if not tested.problems:
        evaluation.join(tested, outcome)
    branch = "else" if tested.problems else "then"
    if branch in schema:
        evaluation.join(evaluation.evaluate(schema[branch], value), outcome)


def _dependent_schemas(
    evaluation: Evaluation, schemas: Schema, value: Any, _: Schema, outcome: Outcome
) -> None:
    for name in _names_of(evaluation, schemas, value):
        evaluation.join(evaluation.evaluate(schemas[name], value), outcome)


def _properties(
    evaluation: Evaluation, schemas: Schema, value: Any, _: Schema, outcome: Outcome
) -> None:
    for name in _names_of(evaluation, schemas, value):
        evaluation.evaluate_member(schemas[name], value[name], name, outcome)


def _additional(
    evaluation: Evaluation, schema: Any, value: Any, around: Schema, outcome: Outcome
) -> None:
    if not isinstance(value, dict):
        return
    evaluation.spend(len(value))
    listed = around.get("properties", {})
    extra = [name for name in value if name not in listed]
    if schema is not False:
        for name in extra:
            evaluation.evaluate_member(schema, value[name], name, outcome)
    elif extra:
        outcome.add(lambda: f"Additional properties are not allowed ({_unexpected(sorted(extra))})")


def _property_names(
    evaluation: Evaluation, schema: Any, value: Any, _: Schema, outcome: Outcome
) -> None:
    for name in value if isinstance(value, dict) else ():
        outcome.take(evaluation.evaluate(schema, name).problems)


def _prefix_items(
    evaluation: Evaluation, schemas: list[Any], value: Any, _: Schema, outcome: Outcome
) -> None:
    if isinstance(value, list):
        for index, (schema, item) in enumerate(zip(schemas, value, strict=False)):
            evaluation.evaluate_member(schema, item, index, outcome)


def _items(
    evaluation: Evaluation, schema: Any, value: Any, around: Schema, outcome: Outcome
) -> None:
    first = len(around.get("prefixItems", ()))
    if not isinstance(value, list) or len(value) <= first:
        return
    if schema is not False:
        for index in range(first, len(value)):
            evaluation.evaluate_member(schema, value[index], index, outcome)
        return
    extra = value[first] if len(value) == first + 1 else value[first:]
    count = len(value) - first
    outcome.add(lambda: f"Expected at most {first} items but found {count} extra: {extra!r}")


def _contains(
    evaluation: Evaluation, schema: Any, value: Any, around: Schema, outcome: Outcome
) -> None:
    if not isinstance(value, list):
        return
    fitting = [
        index for index, item in enumerate(value) if not evaluation.evaluate(schema, item).problems
    ]
    evaluation.keep_members(fitting, outcome)
    least, most = around.get("minContains", 1), around.get("maxContains", len(value))
    if len(fitting) > most:
        outcome.add(lambda: f"Too many items match the given schema (expected at most {most})")
    elif len(fitting) < least and fitting:
        outcome.add(
            lambda: (
                "Too few items match the given schema (expected at least "
                f"{least} but only {len(fitting)} matched)"
            )
        )
    elif len(fitting) < least:
        outcome.add(lambda: f"{value!r} does not contain items matching the given schema")


def _unevaluated_properties(
    evaluation: Evaluation, schema: Any, value: Any, _: Schema, outcome: Outcome
) -> None:
    if isinstance(value, dict):
        unfit = _unfit_members(evaluation, schema, value, outcome)
        if unfit:
            outcome.add(lambda: f"Unevaluated properties are not allowed ({_unexpected(unfit)})")


def _unevaluated_items(
    evaluation: Evaluation, schema: Any, value: Any, _: Schema, outcome: Outcome
) -> None:
    if isinstance(value, list):
        unfit = _unfit_members(evaluation, schema, dict(enumerate(value)), outcome)
        if unfit:
            shown = [value[index] for index in unfit]
            outcome.add(lambda: f"Unevaluated items are not allowed ({_unexpected(shown)})")


def _unfit_members(
    evaluation: Evaluation, schema: Any, members: Mapping[Any, Any], outcome: Outcome
) -> list[Any]:
    """The unevaluated members that don't match; all members count as evaluated afterwards."""
    evaluation.spend(len(members))
    left = [step for step in members if step not in outcome.members]
    unfit = [step for step in left if evaluation.evaluate(schema, members[step]).problems]
    evaluation.keep_members(left, outcome)
    return unfit


def _unexpected(extra: Iterable[Any]) -> str:
    shown = [repr(part) for part in extra]
    return f"{', '.join(shown)} {'was' if len(shown) == 1 else 'were'} unexpected"


def _names_of(evaluation: Evaluation, by_name: Schema, value: Any) -> Iterator[str]:
    """The names that an object has; none for other values."""
    if isinstance(value, dict):
        evaluation.spend(len(by_name))
        yield from (name for name in by_name if name in value)


APPLICATORS: Mapping[str, Applicator] = {
    "$ref": _reference,
    "$dynamicRef": _reference,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "dependentSchemas": _dependent_schemas,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _property_names,
    "prefixItems": _prefix_items,
    "items": _items,
    "contains": _contains,
    "unevaluatedProperties": _unevaluated_properties,
    "unevaluatedItems": _unevaluated_items,
}
