"""Looks up what steps use of the registry when a run starts, and adds it to the run's plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from promptops_flows.steps.agent import RunAgent
from promptops_flows.steps.map import MapItems
from promptops_flows.steps.plans import AgentPlan, WorkflowPlan
from promptops_flows.steps.render import Render
from promptops_flows.steps.step import Action, Step
from promptops_flows.steps.targets import PromptTarget, version_number
from promptops_flows.steps.workflow import RunWorkflow
from promptops_flows.templates.language import render_template
from promptops_platform.access.actor import Actor
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.version_reading import VersionReader
from promptops_platform.errors import BadRequest, NotFound
from promptops_platform.prompts.body import CHAT
from promptops_platform.prompts.references import DEFAULT_ENVIRONMENT
from promptops_platform.serving.prompt_resolver import PromptReference, PromptResolver, Referrer
from promptops_platform.serving.rendering import templates_of
from promptops_platform.workflows.service import WorkflowService
from promptops_platform.workflows.sources import AgentSource
from promptops_platform.workflows.tables import WorkflowRow

MAX_DEPTH = 5


@dataclass(frozen=True, slots=True)
class _Path:
    """The position in nested workflows: the workflows that contain each other, the outermost
    first."""

    keys: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.keys[-1]

    def into(self, key: str) -> _Path:
        """Raises BadRequest for a cycle, and for too deeply nested workflows."""
        path = " \N{RIGHTWARDS ARROW} ".join((*self.keys, key))
        if key in self.keys:
            raise BadRequest(f"key: workflow {key!r} runs itself ({path}); remove one of the steps")
        if len(self.keys) > MAX_DEPTH:
            raise BadRequest(
                f"key: workflow {key!r} would be more than {MAX_DEPTH} deep ({path}); nest it "
                "less deeply"
            )
        return _Path((*self.keys, key))


class PlanEmbedder:
    """Embeds for one run. `environments` are those of everything that was looked up."""

    def __init__(
        self,
        transaction: Transaction,
        workspace_id: str,
        variables: Mapping[str, Any],
        *,
        workflows: WorkflowService,
        versions: VersionReader[WorkflowRow],
        prompts: PromptResolver,
        agents: AgentSource,
        actor: Actor,
    ) -> None:
        self._transaction = transaction
        self._workspace_id = workspace_id
        self._variables = variables
        self._workflows = workflows
        self._versions = versions
        self._prompts = prompts
        self._agents = agents
        self._actor = actor
        self.environments: set[str] = set()

    async def embed(self, plan: WorkflowPlan, key: str) -> WorkflowPlan:
        """Return the plan with everything that its steps refer to; raises NotFound, Forbidden and
        BadRequest."""
        return await self._plan(plan, _Path((key,)))

    async def _plan(self, plan: WorkflowPlan, path: _Path) -> WorkflowPlan:
        steps: list[Step] = []
        for index, step in enumerate(plan.steps, 1):
            action = await self._action(step.action, index, path)
            steps.append(step if action is step.action else replace(step, action=action))
        return replace(plan, steps=tuple(steps))

    async def _action(self, action: Action, index: int, path: _Path) -> Action:
        if isinstance(action, Render) and action.prompt is not None:
            return await self._render(action, action.prompt, index, path)
        if isinstance(action, RunAgent):
            plan, version = await self._agent(action, index, path)
            return replace(action, plan=plan, target=replace(action.target, version=version))
        if isinstance(action, RunWorkflow):
            return await self._workflow(action, index, path)
        if isinstance(action, MapItems):
            return replace(action, action=await self._action(action.action, index, path))
        return action

    async def _render(
        self, action: Render, target: PromptTarget, index: int, path: _Path
    ) -> Render:
        env = target.env or DEFAULT_ENVIRONMENT
        prompt = await self._prompts.resolve(
            self._transaction,
            self._workspace_id,
            PromptReference(target.key, env, target.version or None),
            self._subject(target.subject),
            referrer=Referrer(f"steps.{index - 1}.prompt", "workflow", path.key),
            actor=self._actor,
        )
        self.environments.add(env)
        variant = prompt.used.variant or ""
        used = replace(target, env=env, version=prompt.used.version, variant=variant)
        if prompt.body.kind == CHAT:
            return Render("", used, tuple(templates_of(prompt.body)))
        return Render(prompt.body.content, used)

    def _subject(self, template: str) -> str | None:
        """Return the subject that a rollout selects a variant for."""
        return render_template(template, self._variables) if template else None

    async def _agent(self, action: RunAgent, index: int, path: _Path) -> tuple[AgentPlan, str]:
        target = action.target
        inner = await self._agents.inner_plan(
            self._transaction,
            self._workspace_id,
            target,
            self._subject(action.subject),
            actor=self._actor,
        )
        if inner is None:
            raise NotFound(
                f"steps.{index - 1}.key: agent {target.key!r} of workflow {path.key!r} is not in "
                "its workspace; create it there, or edit the workflow"
            )
        self.environments |= inner.environments
        return inner.plan, inner.version

    async def _workflow(self, action: RunWorkflow, index: int, path: _Path) -> RunWorkflow:
        target = action.target
        below = path.into(target.key)
        draft = await self._workflows.find_to_run(
            self._transaction, self._workspace_id, target.key, actor=self._actor
        )
        if draft is None:
            raise NotFound(
                f"steps.{index - 1}.key: workflow {target.key!r} of workflow {path.key!r} is not "
                "in its workspace; create it there, or edit the workflow"
            )
        row = await self._versions.runnable(
            self._transaction,
            draft,
            version=version_number(target.version),
            env=target.env or None,
            actor=self._actor,
        )
        self.environments |= self._workflows.environments_of(self._workflows.content_of(row))
        inner = self._workflows.parsed(row)
        if inner.approvals:
            raise BadRequest(
                f"steps.{index - 1}.key: workflow {target.key!r} has an approval, step "
                f"{inner.approvals[0].name!r}, and can't run inside of workflow {path.key!r}; "
                "move the approval there"
            )
        plan = await self._plan(inner, below)
        return replace(action, target=replace(target, version=str(row.version)), plan=plan)
