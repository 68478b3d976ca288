"""Evaluating expressions for steps, within their budget of processor time."""

from __future__ import annotations

from typing import Any

from promptops_flows.processes.budgeted_workers import BudgetedWorkers, BudgetExceededError
from promptops_flows.steps.context import StepError
from promptops_flows.templates.references import Scope

BUDGET_SECONDS = 2.0
WORKER = "promptops_flows.templates.expression_worker"


class Expressions:
    """Evaluates expressions in worker processes, which are stopped if one takes too long."""

    def __init__(self, workers: BudgetedWorkers, seconds: float = BUDGET_SECONDS) -> None:
        self._workers = workers
        self._seconds = seconds

    async def evaluate(self, kind: str, expression: str, scope: Scope) -> Any:
        """Return the expression's value; raises `StepError`."""
        data = {
            "input": scope.input,
            "value": scope.value,
            "variables": {**scope.variables, **scope.own},
            "steps": dict(scope.outputs),
        }
        job = {"kind": kind, "expression": expression, "data": data}
        try:
            answer = await self._workers.do(job, self._seconds)
        except BudgetExceededError as error:
            raise StepError(
                f"the expression took longer than {self._seconds:g} s; simplify it, or work on "
                "less at a time"
            ) from error
        if "error" in answer:
            summary = "the expression can't be evaluated" if answer.get("quotes") else None
            raise StepError(f"the expression can't be evaluated: {answer['error']}", summary)
        return answer["value"]
