"""Variables of a triggered run, filled from its event: `{{event.key}}`, where the text between the
braces is JMESPath (https://jmespath.org/specification.html).

Plain paths are evaluated here. Other expressions are evaluated in a separate process, because a few
hundred characters may take any amount of memory.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from promptops_flows.processes.budgeted_workers import BudgetedWorkers, BudgetExceededError
from promptops_flows.templates.expressions import ExpressionError, check_jmespath
from promptops_flows.templates.language import value_text
from promptops_platform.errors import BadRequest
from promptops_platform.field_types import refuse_unprintable_inside

WORKER = "promptops_flows.templates.expression_worker"
BUDGET_SECONDS = 1.0
MOST_EXPRESSIONS = 50
LONGEST_EXPRESSION = 1000
_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_PATH = re.compile(r"event(?:\.[A-Za-z_][A-Za-z0-9_]*|\[\d{1,9}\])*")
_PART = re.compile(r"\.(\w+)|\[(\d+)\]")
Evaluate = Callable[[str], Awaitable[Any]]


class UnusableEvent(Exception):
    """The variables can't be filled from this event; the message is one sentence."""


def check_variables(variables: Mapping[str, Any]) -> None:
    """Raises BadRequest for an invalid template."""
    expressions = list(_expressions(variables))
    if len(expressions) > MOST_EXPRESSIONS:
        raise BadRequest(
            f"variables: {len(expressions)} expressions were sent, at most {MOST_EXPRESSIONS} are "
            "allowed; pass {{event}} as a whole and take it apart in the workflow"
        )
    for expression in expressions:
        if len(expression) > LONGEST_EXPRESSION:
            raise BadRequest(
                f"variables: an expression has more than {LONGEST_EXPRESSION} characters; shorten "
                "it"
            )
        try:
            check_jmespath(expression)
        except ExpressionError as error:
            raise BadRequest(
                f"variables: {{{{{expression[:80]}}}}} {error}; write {{{{event.key}}}} for "
                "instance"
            ) from error


def with_expressions(variables: Mapping[str, Any]) -> set[str]:
    """Return the names of the variables whose values depend on the event."""
    return {name for name, value in variables.items() if any(_expressions(value))}


class EventTemplates:
    """Fills variables; its processes start when an expression first needs one."""

    def __init__(self) -> None:
        self._workers = BudgetedWorkers(WORKER, count=1)

    async def aclose(self) -> None:
        """Stop the processes."""
        await self._workers.__aexit__()

    async def fill(self, variables: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the variables of a run; raises UnusableEvent. A text that is a single expression
        becomes the expression's value, of any type."""

        async def evaluate(expression: str) -> Any:
            if _PATH.fullmatch(expression):
                return _at_path(event, expression)
            return await self._evaluated(expression, event)

        filled = {name: await _filled(value, evaluate) for name, value in variables.items()}
        try:
            refuse_unprintable_inside(filled)
        except ValueError as error:
            raise UnusableEvent(f"the event's variables can't be used: a text {error}") from error
        return filled

    async def _evaluated(self, expression: str, event: Mapping[str, Any]) -> Any:
        data = {"value": {"event": dict(event)}}
        job = {"kind": "jmespath", "expression": expression, "data": data}
        shown = f"{{{{{expression[:80]}}}}}"
        try:
            answer = await self._workers.do(job, BUDGET_SECONDS)
        except BudgetExceededError as error:
            raise UnusableEvent(
                f"{shown} takes more than {BUDGET_SECONDS:g} s or too much memory; simplify it"
            ) from error
        if "error" in answer:
            raise UnusableEvent(f"{shown} can't be evaluated: {answer['error']}")
        return answer["value"]


async def _filled(value: Any, evaluate: Evaluate) -> Any:
    if isinstance(value, dict):
        return {name: await _filled(item, evaluate) for name, item in value.items()}
    if isinstance(value, list):
        return [await _filled(item, evaluate) for item in value]
    if not isinstance(value, str):
        return value
    whole = _whole(value)
    if whole is not None:
        return await evaluate(whole)
    parts, end = [], 0
    for match in _PLACEHOLDER.finditer(value):
        result = await evaluate(match[1].strip())
        parts += [value[end : match.start()], "" if result is None else value_text(result)]
        end = match.end()
    return "".join([*parts, value[end:]])


def _expressions(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _expressions(item)
    elif isinstance(value, list):
        for item in value:
            yield from _expressions(item)
    elif isinstance(value, str):
        whole = _whole(value)
        if whole is not None:
            yield whole
        else:
            yield from (expression.strip() for expression in _PLACEHOLDER.findall(value))


def _whole(text: str) -> str | None:
    """Return the expression if it is the whole text; None otherwise."""
    stripped = text.strip()
    if not (stripped.startswith("{{") and stripped.endswith("}}") and len(stripped) >= 4):
        return None
    inside = stripped[2:-2]
    return None if "{{" in inside else inside.strip()


def _at_path(event: Mapping[str, Any], path: str) -> Any:
    """Return the value at the path; None if there is none, as in JMESPath."""
    value: Any = event
    for name, index in _PART.findall(path):
        if name:
            value = value.get(name) if isinstance(value, Mapping) else None
        else:
            at = int(index)
            value = value[at] if isinstance(value, list) and at < len(value) else None
    return value
