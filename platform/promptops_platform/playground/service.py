"""Makes a question of what the playground was sent."""

from dataclasses import dataclass
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import DEFAULT_WORKSPACE, Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.access.scopes import scope_of
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


@dataclass(frozen=True, slots=True)
class StoredPrompt:
    """A prompt, and what of it is asked: its working copy where there is no `version`."""

    row: PromptRow
    body: Body
    version: str | None = None

    def reference(self) -> dict[str, Any]:
        """What the run log keeps of it."""
        return {"id": self.row.id, "env": self.row.env, "version": self.version}


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

    async def stored(
        self, transaction: Transaction, prompt_id: str, version: str | None, *, actor: Actor
    ) -> StoredPrompt:
        """A prompt as it was published under that label, or its working copy; raises NotFound and
        Forbidden."""
        row = await self._prompts.get(
            transaction, prompt_id, actor=actor, permission=Permission.PLAYGROUND_RUN
        )
        if version is None:
            return StoredPrompt(row, Body.of(row))
        found = await self._prompts.version(transaction, row, version, actor=actor)
        return StoredPrompt(row, Body.of(found), found.version)

    async def question(
        self, asked: PlaygroundRun, stored: StoredPrompt | None, *, actor: Actor
    ) -> Question:
        """What is to be asked.

        Raises NotFound for an unknown workspace, BadRequest for what can't be rendered and for an
        unknown provider.
        """
        workspace_id = stored.row.workspace_id if stored else self._workspace(asked, actor)
        body, variables = body_of(asked, stored.body if stored else None), variables_of(asked)
        wanted = [(asked.provider or DEFAULT_PROVIDER, asked.model or "")]
        wanted += [(each.provider or "", each.model or "") for each in asked.fallbacks or ()]
        targets = self._connections.targets(
            workspace_id, wanted, api_key=asked.api_key, base_url=asked.base_url, actor=actor
        )
        request = await completion_request(asked, body, await rendered(body, variables))
        return Question(
            workspace_id=workspace_id,
            ref_key=stored.row.key if stored else "",
            scope=scope_of([stored.row.env] if stored else [], actor),
            request=request,
            targets=targets,
            inputs={
                "variables": variables,
                "parameters": dict(request.parameters),
                **({"prompt": stored.reference()} if stored else {}),
            },
        )

    def _workspace(self, asked: PlaygroundRun, actor: Actor) -> str:
        wanted = asked.workspace or actor.workspace_id or DEFAULT_WORKSPACE
        found = self._grants.find(actor, wanted)
        if found is None:
            raise NotFound(f"workspace {wanted!r} not found; GET /api/workspaces lists them")
        self._grants.require(actor, Permission.PLAYGROUND_RUN, found)
        return found
