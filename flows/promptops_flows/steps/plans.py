"""What a run executes, resolved before it starts: a workflow's steps, or an agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from promptops_flows.steps.http_tools import HttpTool
from promptops_flows.steps.models import ModelChoice
from promptops_flows.steps.step import Step
from promptops_flows.templates.chat_messages import RawMessage
from promptops_providers.protocol import Message, PromptVersion


@dataclass(frozen=True, slots=True)
class WorkflowPlan:
    """`is_list` says that each step runs after the previous one and gets its output; names may then
    be empty or repeated. `output` is a template for the result; without it the result is the output
    of the last step. `defaults`, `input_schema` and `strict` apply to the variables of an inner
    run; a caller's variables are checked before the run starts."""

    steps: tuple[Step, ...]
    is_list: bool = True
    output: str = ""
    timeout_seconds: float | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    input_schema: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False

    @property
    def providers(self) -> frozenset[str]:
        """The names of all providers that the steps may use."""
        return frozenset().union(*(step.action.providers for step in self.steps))

    @property
    def approvals(self) -> tuple[Step, ...]:
        """The steps that wait for a person."""
        return tuple(step for step in self.steps if step.type == "approval")

    @property
    def prompts(self) -> tuple[PromptVersion, ...]:
        """The registry prompts that the steps use, without duplicates."""
        prompts = (prompt for step in self.steps for prompt in step.action.prompts)
        return tuple(dict.fromkeys(prompts))


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """One run of an agent.

    `prompt` contains the messages of a chat prompt (`promptops_flows.templates.chat_messages`); a
    text prompt is one message with role `user`. `history` is the part of the conversation that is
    sent to the model. With a `user_message` the prompt precedes the history, and a text prompt is
    the system message; without one, the text prompt is the user's message. `used_prompt` is the
    prompt's version if it comes from the registry.
    """

    prompt: tuple[RawMessage, ...]
    is_chat: bool
    models: tuple[ModelChoice, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[HttpTool, ...] = ()
    max_steps: int = 8
    output_schema: Mapping[str, Any] | None = None
    history: tuple[Message, ...] = ()
    user_message: str | None = None
    used_prompt: PromptVersion | None = None
