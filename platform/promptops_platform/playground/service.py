"""Calls a model with what was sent to the playground."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import DEFAULT_WORKSPACE, Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.access.scopes import scope_of
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import NotFound
from promptops_platform.http.event_stream import ServerEvent, begun
from promptops_platform.http.stop_signal import StopSignal
from promptops_platform.playground.asking import Asker
from promptops_platform.playground.questions import (
    Question,
    body_of,
    completion_request,
    variables_of,
)
from promptops_platform.playground.schemas import PlaygroundAnswer, PlaygroundRun
from promptops_platform.prompts.labels import DRAFT
from promptops_platform.providers.lookup import ProviderLookup
from promptops_platform.serving.prompt_resolver import PromptResolver, ResolvedPrompt
from promptops_platform.serving.rendering import render_body
from promptops_providers.protocol import PromptVersion
from promptops_providers.provider_names import DEFAULT_PROVIDER


class PlaygroundService:
    """Looks up prompt, connection and model, renders the prompt, and calls the model."""

    def __init__(
        self,
        *,
        database: Database,
        grants: Grants,
        prompts: PromptResolver,
        connections: ProviderLookup,
        asker: Asker,
        stop: StopSignal,
    ) -> None:
        self._stop = stop
        self._database = database
        self._grants = grants
        self._prompts = prompts
        self._connections = connections
        self._asker = asker

    async def run(self, asked: PlaygroundRun, *, actor: Actor) -> PlaygroundAnswer:
        """Return the whole answer. No transaction is open during the model call.

        Raises NotFound, Forbidden, BadRequest for what can't be rendered or sent, ProviderFailed
        and TooManyRequests.
        """
        return await self._asker.answer(await self._question(asked, actor), actor=actor)

    async def follow(
        self, asked: PlaygroundRun, request_id: str, *, actor: Actor
    ) -> AsyncGenerator[ServerEvent, None]:
        """Yield the answer piece by piece, like `Asker.events`; errors before the stream has begun
        are raised, like those of `run`."""
        question = await self._question(asked, actor)
        return await begun(self._asker.events(question, actor=actor), request_id, self._stop)

    async def _question(self, asked: PlaygroundRun, actor: Actor) -> Question:
        stored = await self._stored(asked, actor)
        workspace_id = stored.workspace_id if stored else self._workspace(asked, actor)
        body, variables = body_of(asked, stored.body if stored else None), variables_of(asked)
        models = [(asked.provider or DEFAULT_PROVIDER, asked.model or "")]
        models += [
            (fallback.provider or "", fallback.model or "") for fallback in asked.fallbacks or ()
        ]
        targets = self._connections.targets(
            workspace_id, models, api_key=asked.api_key, base_url=asked.base_url, actor=actor
        )
        chat = await render_body(body, variables)
        prompt = _counted(stored, asked) if stored else None
        request = await completion_request(asked, body, chat, prompt)
        return Question(
            workspace_id=workspace_id,
            ref_key=stored.used.key if stored else "",
            scope=scope_of([stored.used.env] if stored else [], actor),
            request=request,
            targets=targets,
            chat=chat,
            inputs={
                "variables": variables,
                "parameters": dict(request.parameters),
                **({"prompt": _reference(stored)} if stored else {}),
            },
        )

    async def _stored(self, asked: PlaygroundRun, actor: Actor) -> ResolvedPrompt | None:
        if asked.id is None:
            return None
        async with self._database.read() as transaction:
            return await self._prompts.resolve_by_id(
                transaction,
                asked.id,
                asked.version,
                actor=actor,
                permission=Permission.PLAYGROUND_RUN,
            )

    def _workspace(self, asked: PlaygroundRun, actor: Actor) -> str:
        name = asked.workspace or actor.workspace_id or DEFAULT_WORKSPACE
        workspace_id = self._grants.find(actor, name)
        if workspace_id is None:
            raise NotFound(f"workspace {name!r} not found; GET /api/workspaces lists them")
        self._grants.require(actor, Permission.PLAYGROUND_RUN, workspace_id)
        return workspace_id


def _reference(prompt: ResolvedPrompt) -> dict[str, Any]:
    """Return what the run log stores of the prompt."""
    version = None if prompt.is_draft else prompt.used.version
    return {"id": prompt.prompt_id, "env": prompt.used.env, "version": version}


def _counted(prompt: ResolvedPrompt, asked: PlaygroundRun) -> PromptVersion:
    """Return the version that is counted; edited content that was sent along isn't a version."""
    is_edited = bool(asked.messages or asked.content)
    return replace(prompt.used, version=DRAFT).counted if is_edited else prompt.used.counted
