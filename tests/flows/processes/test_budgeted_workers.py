"""Work that may never end, in processes that are killed."""

import asyncio
import signal

import pytest

from promptops_flows.processes.budgeted_workers import BudgetedWorkers, BudgetExceededError
from promptops_flows.steps.context import StepError
from promptops_flows.steps.expressions import WORKER, Expressions
from promptops_flows.templates.references import Scope

ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
HUGE = "{{ ('x' * 1000000000) | length }}"


async def test_endless_work_is_stopped_and_the_next_job_runs() -> None:
    async with BudgetedWorkers(WORKER, count=1) as workers:
        expressions = Expressions(workers, seconds=0.3)
        with pytest.raises(StepError, match=r"took longer than 0\.3 s; simplify it"):
            await expressions.evaluate("jinja", ENDLESS, Scope({}))
        generous = Expressions(workers, seconds=30)
        assert await generous.evaluate("jinja", "{{ input }}!", Scope({}, "next")) == "next!"


async def test_a_worker_that_waits_for_a_processor_keeps_its_budget() -> None:
    async with BudgetedWorkers(WORKER, count=1) as workers:
        expressions = Expressions(workers, seconds=1)
        await expressions.evaluate("jinja", "warm", Scope({}))
        [process] = workers._idle
        process.send_signal(signal.SIGSTOP)
        evaluation = asyncio.create_task(expressions.evaluate("jinja", "late", Scope({})))
        done, _ = await asyncio.wait([evaluation], timeout=1.5)
        assert not done
        process.send_signal(signal.SIGCONT)
        assert await evaluation == "late"


async def test_memory_is_limited_as_well() -> None:
    async with BudgetedWorkers(WORKER, count=1) as workers:
        expressions = Expressions(workers, seconds=30)
        with pytest.raises(StepError, match="takes too much memory; work on less at a time"):
            await expressions.evaluate("jinja", HUGE, Scope({}))
        assert await expressions.evaluate("regex", "b+", Scope({}, "abbc")) == "bb"


async def test_a_job_whose_caller_is_cancelled_leaves_no_answer_behind() -> None:
    async with BudgetedWorkers(WORKER, count=1) as workers:
        expressions = Expressions(workers, seconds=30)
        task = asyncio.create_task(expressions.evaluate("jinja", ENDLESS, Scope({})))
        done, _ = await asyncio.wait([task], timeout=0.01)
        assert not done
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await expressions.evaluate("jinja", "ok", Scope({})) == "ok"


async def test_a_worker_that_dies_counts_as_an_exceeded_budget() -> None:
    # It answers nothing and exits, whatever the job.
    async with BudgetedWorkers("promptops_flows.steps.fields") as workers:
        with pytest.raises((BudgetExceededError, asyncio.IncompleteReadError)):
            await workers.do({}, 1)
