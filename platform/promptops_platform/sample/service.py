"""A sample for new users, created and removed in one transaction each."""

from promptops_platform.access.actor import Actor
from promptops_platform.access.keys import KeyService
from promptops_platform.access.permissions import Permission, Role
from promptops_platform.agents.service import AgentService
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.gate import GatePass, ServedGate
from promptops_platform.definitions.uses import DefinitionInUse
from promptops_platform.errors import Conflict, NotFound
from promptops_platform.prompts.promotion import Order, Promotion
from promptops_platform.prompts.schemas import PromptFilter
from promptops_platform.prompts.service import PromptService
from promptops_platform.prompts.tables import PromptRow
from promptops_platform.sample import contents
from promptops_platform.sample.schemas import KeptPart, Sample
from promptops_platform.workflows.service import WorkflowService
from promptops_platform.workspaces.environments import EnvironmentService
from promptops_platform.workspaces.service import WorkspaceService

FALLBACK_ENVIRONMENTS = ("dev", "prod")


class SampleService:
    """Uses the services of the rooms below, so every part is audited and announced as usual."""

    def __init__(
        self,
        *,
        gate: ServedGate,
        workspaces: WorkspaceService,
        environments: EnvironmentService,
        prompts: PromptService,
        promotion: Promotion,
        agents: AgentService,
        workflows: WorkflowService,
        keys: KeyService,
    ) -> None:
        self._gate = gate
        self._workspaces = workspaces
        self._environments = environments
        self._prompts = prompts
        self._promotion = promotion
        self._agents = agents
        self._workflows = workflows
        self._keys = keys

    async def is_installed(
        self, transaction: Transaction, workspace: str | None, *, actor: Actor
    ) -> tuple[bool, str]:
        """Return whether the workspace has the sample, and the workspace's id; raises NotFound."""
        workspace_row = await self._workspaces.find(transaction, workspace, actor=actor)
        return bool(
            await self._sample_prompts(transaction, workspace_row.id, actor)
        ), workspace_row.id

    async def create(
        self, transaction: Transaction, workspace: str | None, *, actor: Actor
    ) -> Sample:
        """Create the sample; raises NotFound, Forbidden, and Conflict if one of its keys is
        taken."""
        workspace_row = await self._workspaces.find_for(
            transaction, workspace, Permission.KEYS_WRITE, actor=actor
        )
        # Without approvals, because it changes nothing that others are served.
        self._gate.open(transaction, GatePass())
        rows = await self._environments.every(transaction, workspace_row.id, actor=actor)
        names = [row.name for row in rows] or list(FALLBACK_ENVIRONMENTS)
        first, last = names[0], names[-1]
        await self._create_prompt(transaction, workspace_row.id, first, last, actor)
        agent = await self._agents.create(
            transaction,
            actor=actor,
            workspace_id=workspace_row.id,
            key=contents.AGENT,
            fields=contents.agent(last),
        )
        workflow = await self._workflows.create(
            transaction,
            actor=actor,
            workspace_id=workspace_row.id,
            key=contents.WORKFLOW,
            fields=contents.workflow(),
        )
        _, secret = await self._keys.create(
            transaction,
            actor=actor,
            name=contents.KEY_NAME,
            role=Role.SDK,
            workspace=workspace_row.id,
            environments=[],
            expires_at=None,
        )
        return Sample(
            workspace_id=workspace_row.id,
            prompt_key=contents.PROMPT,
            environments=list(dict.fromkeys((first, last))),
            env=last,
            agent_id=agent.id,
            workflow_id=workflow.id,
            api_key=secret,
        )

    async def remove(
        self, transaction: Transaction, workspace: str | None, *, actor: Actor
    ) -> list[KeptPart]:
        """Delete the sample with its API key, except what somebody has edited and the prompts that
        it uses; returns what is kept. Raises Forbidden, and NotFound without a sample."""
        workspace_row = await self._workspaces.find_for(
            transaction, workspace, Permission.KEYS_WRITE, actor=actor
        )
        prompts = await self._sample_prompts(transaction, workspace_row.id, actor)
        if not prompts:
            raise NotFound(
                f"workspace {workspace_row.slug!r} has no sample; POST /api/sample creates one"
            )
        self._gate.open(transaction, GatePass())
        kept = await self._remove_agent(transaction, workspace_row.id, actor)
        kept += await self._remove_workflow(transaction, workspace_row.id, actor)
        for prompt in prompts:
            kept += await self._remove_prompt(transaction, prompt, actor)
        await self._revoke_key(transaction, workspace_row.id, actor)
        return kept

    async def _remove_agent(
        self, transaction: Transaction, workspace_id: str, actor: Actor
    ) -> list[KeptPart]:
        rows, _ = await self._agents.search(transaction, workspace_id, contents.AGENT, actor=actor)
        row = next((row for row in rows if row.key == contents.AGENT), None)
        if row is None:
            return []
        if not contents.is_unchanged_agent(row):
            return [KeptPart(kind="agent", id=row.id, key=row.key, reason="edited")]
        try:
            await self._agents.delete(transaction, row.id, actor=actor)
        except DefinitionInUse:
            return [KeptPart(kind="agent", id=row.id, key=row.key, reason="used")]
        return []

    async def _remove_workflow(
        self, transaction: Transaction, workspace_id: str, actor: Actor
    ) -> list[KeptPart]:
        rows, _ = await self._workflows.search(
            transaction, workspace_id, contents.WORKFLOW, actor=actor
        )
        row = next((row for row in rows if row.key == contents.WORKFLOW), None)
        if row is None:
            return []
        if not contents.is_unchanged_workflow(row):
            return [KeptPart(kind="workflow", id=row.id, key=row.key, reason="edited")]
        try:
            await self._workflows.delete(transaction, row.id, actor=actor)
        except DefinitionInUse:
            return [KeptPart(kind="workflow", id=row.id, key=row.key, reason="used")]
        return []

    async def _remove_prompt(
        self, transaction: Transaction, row: PromptRow, actor: Actor
    ) -> list[KeptPart]:
        """Delete a prompt; if an agent or a workflow still uses it, only remove the tag."""
        place = (row.workspace_id, row.key, row.env)
        users = [
            *await self._agents.using(transaction, *place),
            *await self._workflows.using(transaction, *place, actor=actor),
        ]
        if not users:
            await self._prompts.delete(transaction, row.id, actor=actor)
            return []
        tags = {"tags": contents.without_tag(row.tags)}
        await self._prompts.update(transaction, row.id, actor=actor, fields=tags)
        return [KeptPart(kind="prompt", id=row.id, key=row.key, env=row.env, reason="used")]

    async def _create_prompt(
        self, transaction: Transaction, workspace_id: str, first: str, last: str, actor: Actor
    ) -> None:
        """Publish its versions in the first environment, and promote one to the last."""
        if await self._sample_prompts(transaction, workspace_id, actor):
            raise Conflict("the workspace already has the sample; DELETE /api/sample removes it")
        fields = {
            "name": "Support reply",
            "env": first,
            "category": "support",
            "tags": contents.TAG,
            "kind": "chat",
            "messages": contents.messages(contents.VERSIONS[0][0]),
        }
        prompt = await self._prompts.create(
            transaction,
            actor=actor,
            workspace_id=workspace_id,
            key=contents.PROMPT,
            fields=fields,
        )
        for number, (system, note) in enumerate(contents.VERSIONS, start=1):
            if number > 1:
                edit = {"messages": contents.messages(system)}
                await self._prompts.update(transaction, prompt.id, actor=actor, fields=edit)
            await self._prompts.publish(transaction, prompt.id, actor=actor, note=note)
            if number == contents.PROMOTED and first != last:
                order = Order(env=last, publish=True, version=None, note="Promoted for the sample")
                await self._promotion.promote(transaction, prompt.id, order, actor=actor)

    async def _sample_prompts(
        self, transaction: Transaction, workspace_id: str, actor: Actor
    ) -> list[PromptRow]:
        """Return the prompts that still have the sample's tag; a prompt without it is somebody's
        own."""
        sample_filter = PromptFilter(workspace_id, text=contents.PROMPT, tag=contents.TAG)
        matches = await self._prompts.search(
            transaction, sample_filter, actor=actor, limit=None, offset=0
        )
        return [row for row, *_ in matches.rows if row.key == contents.PROMPT]

    async def _revoke_key(self, transaction: Transaction, workspace_id: str, actor: Actor) -> None:
        keys, _ = await self._keys.search(
            transaction, actor=actor, workspace=workspace_id, prefix=None, text=contents.KEY_NAME
        )
        for key in keys:
            if key.row.name == contents.KEY_NAME and key.row.role == Role.SDK:
                await self._keys.revoke(transaction, key.row.id, actor=actor)
