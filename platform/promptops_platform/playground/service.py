"""Makes a question of what the playground was sent."""

from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import DEFAULT_WORKSPACE, Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.db.tables import PromptRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import NotFound
from promptops_platform.playground.questions import (
    Question,
    body_of,
    completion_request,
    rendered,
    variables_of,
)
from promptops_platform.playground.schemas import PlaygroundRun
from promptops_platform.prompts.body import Body
from promptops_platform.prompts.reading import PromptReader
from promptops_platform.providers.service import ProviderService
from promptops_providers.registry import DEFAULT_PROVIDER


class PlaygroundService:
    """Finds prompt, connection and model, and renders."""

    def __init__(
        self,
        *,
        grants: Grants,
        prompts: PromptReader,
        connections: ProviderService,
    ) -> None:
        self._grants = grants
        self._prompts = prompts
        self._connections = connections

    async def question(
        self, transaction: Transaction, asked: PlaygroundRun, *, actor: Actor
    ) -> Question:
        """What is to be asked.

        Raises NotFound for an unknown prompt, version or workspace, BadRequest for what can't be
        rendered and for an unknown provider.
        """
        prompt, stored, version = await self._stored(transaction, asked, actor)
        named = prompt.workspace_id if prompt else asked.workspace
        workspace_id = self._workspace(named, actor)
        body, variables = body_of(asked, stored), variables_of(asked)
        wanted = [(asked.provider or DEFAULT_PROVIDER, asked.model or "")]
        wanted += [(each.provider or "", each.model or "") for each in asked.fallbacks or ()]
        targets = await self._connections.targets(
            transaction,
            workspace_id,
            wanted,
            api_key=asked.api_key,
            base_url=asked.base_url,
            actor=actor,
        )
        request = completion_request(asked, body, await rendered(body, variables))
        inputs: dict[str, Any] = {"variables": variables, "parameters": dict(request.parameters)}
        if prompt is not None:
            inputs["prompt"] = {"id": prompt.id, "env": prompt.env, "version": version}
        return Question(
            workspace_id=workspace_id,
            ref_key=prompt.key if prompt else "",
            request=request,
            targets=targets,
            inputs=inputs,
        )

    def _workspace(self, named: str | None, actor: Actor) -> str:
        wanted = named or actor.workspace_id or DEFAULT_WORKSPACE
        found = self._grants.find(actor, wanted)
        if found is None:
            raise NotFound(f"workspace {wanted!r} not found; GET /api/workspaces lists them")
        self._grants.require(actor, Permission.PLAYGROUND_RUN, found)
        return found

    async def _stored(
        self, transaction: Transaction, asked: PlaygroundRun, actor: Actor
    ) -> tuple[PromptRow | None, Body | None, str | None]:
        """The prompt that is meant, its text, and the version's label; of none, nothing."""
        if asked.id is None:
            return None, None, None
        row = await self._prompts.get(transaction, asked.id, actor=actor)
        if asked.version is None:
            return row, Body.of(row), None
        version = await self._prompts.version(transaction, row, asked.version)
        return row, Body.of(version), version.version
