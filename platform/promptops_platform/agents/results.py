"""The response to a run of an agent."""

from typing import Any, Self

from pydantic import BaseModel

from promptops_flows.protocol.engine_client import StepFinished
from promptops_platform.agents.planning import PlannedRun
from promptops_platform.execution.followers import RunOutcome
from promptops_platform.http.examples import example
from promptops_platform.runlog.model_answer import ModelAnswer, TokenUsage
from promptops_platform.runlog.trace import EXAMPLE_TRACE as EXAMPLE_STEP_TRACE
from promptops_platform.runlog.trace import StepTrace

MODEL, RENDER = "model", "render"
EXAMPLE_STEP: dict[str, Any] = {
    **EXAMPLE_STEP_TRACE,
    "input": "Will it rain in Oslo?",
    "name": "model",
    "type": "model",
    "output": "No, it stays dry.",
    "state": "Completed",
    "start": "2026-03-14T09:26:53.589793Z",
    "duration": 0.412,
    "attempts": 1,
    "notes": [],
    "provider": "mock",
    "model": "mock-1",
}


EXAMPLE_TRACE: dict[str, Any] = {
    "steps": [EXAMPLE_STEP],
    "usage": {"prompt_tokens": 31, "output_tokens": 5, "cached_tokens": 0, "estimated": True},
    "run_id": "5e4f30219b8a7c6d",
    "flow_run_id": "0b9f3a52-4c6e-4f0e-8d2b-0a4c1f6c2f11",
    "flow_run_url": "http://127.0.0.1:4200/runs/flow-run/0b9f3a52-4c6e-4f0e-8d2b-0a4c1f6c2f11",
    "prompt": {"key": "weather", "env": "prod", "version": "v3", "variant": "A"},
    "conversation_id": "chat-17",
}


class AgentStep(StepTrace):
    """A finished step. `input` contains a tool's arguments as JSON, or the messages that a model
    received and no earlier step had. After a tool's error, which the model receives, the run
    continues."""

    model_config = example(**EXAMPLE_STEP)

    input: str | None = None

    @classmethod
    def of(cls, step: StepFinished, **more: Any) -> Self:
        return super().of(step, input=step.input, **more)


class PromptUse(BaseModel):
    """The version of a prompt that a run used, and the variant when a rollout chose it."""

    model_config = example(key="weather", env="prod", version="v3", variant="A")

    key: str
    env: str
    version: str
    variant: str | None


class AgentFailure(BaseModel):
    """How a failed run went, beside the error; `rendered` is the prompt with its variables, for a
    chat the joined text of its messages."""

    model_config = example(rendered="Will it rain in Oslo?", **EXAMPLE_TRACE)

    rendered: str
    steps: list[AgentStep]
    usage: TokenUsage
    run_id: str
    flow_run_id: str
    flow_run_url: str | None
    prompt: PromptUse | None
    conversation_id: str | None

    @classmethod
    def of(cls, plan: PlannedRun, outcome: RunOutcome) -> Self:
        return cls(rendered=_rendered(outcome), **_traced(plan, outcome))


class AgentResult(BaseModel):
    """The answer of a run with its steps and its flow run in Prefect. `structured` is the answer as
    a JSON value that matches the agent's output schema, or null if the agent has none."""

    model_config = example(
        rendered="Will it rain in Oslo?",
        result={"provider": "mock", "model": "mock-1", "output": "No, it stays dry."},
        stop_reason="end",
        structured={"rain": False},
        **EXAMPLE_TRACE,
    )

    rendered: str
    result: ModelAnswer
    stop_reason: str | None
    structured: Any
    steps: list[AgentStep]
    usage: TokenUsage
    run_id: str
    flow_run_id: str
    flow_run_url: str | None
    prompt: PromptUse | None
    conversation_id: str | None

    @classmethod
    def of(cls, plan: PlannedRun, outcome: RunOutcome) -> Self:
        brought = outcome.end.agent or {}
        return cls(
            rendered=_rendered(outcome),
            result=_answer(plan, outcome),
            stop_reason=brought.get("stop_reason"),
            structured=brought.get("structured"),
            **_traced(plan, outcome),
        )


def _rendered(outcome: RunOutcome) -> str:
    prompt_text = next((step.output for step in outcome.steps if step.type == RENDER), None)
    return prompt_text or ""


def _traced(plan: PlannedRun, outcome: RunOutcome) -> dict[str, Any]:
    steps = sorted(outcome.steps, key=lambda step: step.index)
    used = plan.prompt
    return {
        "steps": [AgentStep.of(step) for step in steps],
        "usage": TokenUsage.of(usage for step in steps for usage in step.usages),
        "run_id": outcome.run_id,
        "flow_run_id": outcome.flow_run_id,
        "flow_run_url": outcome.flow_run_url,
        "prompt": PromptUse(key=used.key, env=used.env, version=used.version, variant=used.variant)
        if used
        else None,
        "conversation_id": plan.conversation.asked_id if plan.conversation else None,
    }


def _answer(plan: PlannedRun, outcome: RunOutcome) -> ModelAnswer:
    last = next((step for step in reversed(outcome.steps) if step.type == MODEL), None)
    return ModelAnswer(
        provider=(last.provider if last else None) or plan.provider,
        model=(last.model if last else None) or plan.model,
        output=outcome.end.output or "",
    )
