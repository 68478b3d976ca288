"""What a run executes, settled before it starts: a workflow's steps, or an agent."""

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
    """`is_list` says that each step runs after the one before and takes its output; then names may
    be empty or stand twice. `output` is a template for the result; without one it is the output of
    the last step. `defaults`, `input_schema` and `strict` settle the variables of a run as a
    step; those of a run that a caller starts are settled before."""

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
        """The prompts of the registry that the steps use, each once."""
        prompts = (prompt for step in self.steps for prompt in step.action.prompts)
        return tuple(dict.fromkeys(prompts))


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """One run of an agent.

    `prompt` are the messages of a chat prompt (`promptops_flows.templates.chat_messages`); a text
    prompt is one of role `user`. `history` is what the model sees of the conversation so far.
    With a `user_message` the prompt stands before the history, and a text prompt is the system's
    message; without one, the text prompt is the user's turn itself. `used_prompt` is where the
    prompt comes from, if that is the registry.
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
