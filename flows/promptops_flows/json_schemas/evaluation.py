"""Compares a value with a schema, in a bounded number of steps.

The target of a reference is evaluated once per value, so that the work is at most the product of
both sizes. The comparison ends with an error if it exceeds the limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from promptops_flows.json_schemas.assertions import ASSERTIONS
from promptops_flows.json_schemas.json_equality import equality_key
from promptops_flows.json_schemas.keywords import inner_schemas
from promptops_flows.json_schemas.problems import Outcome, Problem
from promptops_flows.json_schemas.references import References

# A step takes one to four microseconds.
MAX_STEPS = 1_000_000
MAX_VALUE_DEPTH = 100
# Nested schemas; each takes two or three calls, and Python allows a thousand.
_MAX_EVALUATION_DEPTH = 250
_CHARACTERS_A_STEP = 32
_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")


class ValueRefusedError(Exception):
    """The value can't be compared with its schema; the message names the exceeded limit."""


class Evaluation:
    """One comparison with a schema that `check_schema` has accepted.

    An applicator gets its keyword's argument, the value, the schema around the keyword, and the
    outcome to add to.
    """

    def __init__(self, schema: Mapping[str, Any], applicators: Mapping[str, Applicator]) -> None:
        self._root = schema
        self._applicators = applicators
        self._references = References(schema)
        # Only these keywords need to know which members of a value were evaluated.
        self.keeps_members = _has_unevaluated(schema)
        self._steps = 0
        self._depth = 0
        self._outcomes: dict[tuple[int, int], Outcome] = {}
        self._keys: dict[int, frozenset[str]] = {}

    def problems(self, value: object) -> list[Problem]:
        """The first problems; raises `ValueRefusedError`."""
        self._check_value(value)
        try:
            return self.evaluate(self._root, value).problems
        except RecursionError as error:
            raise _too_deep() from error

    def spend(self, steps: int) -> None:
        """Raises `ValueRefusedError` if the total exceeds the limit."""
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise ValueRefusedError(
                f"it takes more than {MAX_STEPS:,} steps to compare with its schema, which is the "
                "limit; ask for a smaller value, or simplify the schema"
            )

    def evaluate(self, schema: Any, value: Any) -> Outcome:
        self.spend(1)
        outcome = Outcome()
        if isinstance(schema, bool):
            if not schema:
                outcome.add(lambda: f"False schema does not allow {value!r}")
            return outcome
        self._depth += 1
        if self._depth > _MAX_EVALUATION_DEPTH:
            raise _too_deep()
        for keyword, argument in schema.items():
            if keyword not in _UNEVALUATED:
                self._apply(keyword, argument, value, schema, outcome)
        for keyword in _UNEVALUATED if self.keeps_members else ():
            if keyword in schema:
                self._apply(keyword, schema[keyword], value, schema, outcome)
        self._depth -= 1
        return outcome

    def evaluate_reference(self, reference: str, value: Any) -> Outcome:
        target = self._references.target(reference)
        place = (id(target), id(value))
        if place not in self._outcomes:
            self._outcomes[place] = self.evaluate(target, value)
        return self._outcomes[place]

    def evaluate_member(self, schema: Any, value: Any, step: str | int, outcome: Outcome) -> None:
        """Evaluate a property or an item of the current value."""
        inner = self.evaluate(schema, value)
        outcome.take(problem.below(step) for problem in inner.problems)
        self.keep_members((step,), outcome)

    def keep_members(self, steps: Iterable[str | int], outcome: Outcome) -> None:
        if self.keeps_members:
            before = len(outcome.members)
            outcome.members.update(steps)
            self.spend(len(outcome.members) - before)

    def join(self, inner: Outcome, outcome: Outcome) -> None:
        """Add the outcome of a schema for the same value: its problems, or its members if it has
        none."""
        outcome.take(inner.problems)
        if self.keeps_members and not inner.problems:
            self.spend(len(inner.members))
            outcome.members |= inner.members

    def equality_key(self, value: Any) -> str:
        key = equality_key(value)
        self.spend(1 + len(key) // _CHARACTERS_A_STEP)
        return key

    def equality_keys(self, owner: object, values: Iterable[Any]) -> frozenset[str]:
        """The keys of values in the schema, cached per `owner`, a part of the schema."""
        if id(owner) not in self._keys:
            self._keys[id(owner)] = frozenset(map(self.equality_key, values))
        return self._keys[id(owner)]

    def _apply(
        self, keyword: str, argument: Any, value: Any, schema: Mapping[str, Any], outcome: Outcome
    ) -> None:
        self.spend(1)
        if keyword in ASSERTIONS:
            words = ASSERTIONS[keyword](argument, value)
            if words is not None:
                outcome.add(words)
        elif keyword in self._applicators:
            self._applicators[keyword](self, argument, value, schema, outcome)

    def _check_value(self, value: object) -> None:
        pending = [(value, 0)]
        while pending:
            part, depth = pending.pop()
            self.spend(1)
            if depth > MAX_VALUE_DEPTH:
                raise _too_deep()
            if isinstance(part, float) and not math.isfinite(part):
                raise ValueRefusedError("it contains a number beyond ±1e308")
            if isinstance(part, dict | list):
                inner: Iterable[Any] = part.values() if isinstance(part, dict) else part
                pending.extend((child, depth + 1) for child in inner)


Applicator = Callable[[Evaluation, Any, Any, Mapping[str, Any], Outcome], None]


def _too_deep() -> ValueRefusedError:
    return ValueRefusedError(
        f"it is nested more than {MAX_VALUE_DEPTH} deep, or too deep for the references of its "
        "schema; ask for a flatter value"
    )


def _has_unevaluated(root: Any) -> bool:
    pending = [root]
    while pending:
        schema = pending.pop()
        if isinstance(schema, dict):
            if any(keyword in schema for keyword in _UNEVALUATED):
                return True
            pending.extend(inner for _, inner, _ in inner_schemas(schema))
    return False
