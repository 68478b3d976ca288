"""The console's list of prompts, and the uses of a prompt."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.agents.service import AgentService
from promptops_platform.catalog import repository
from promptops_platform.catalog.repository import STATES, Count, KeyFilter, KeyList, State
from promptops_platform.catalog.schemas import (
    AgentUse,
    FacetValue,
    KeyCalls,
    KeyEnvironment,
    KeyPrograms,
    LastDay,
    ProgramUse,
    PromptFacets,
    PromptKey,
    PromptUsage,
    WorkflowUse,
)
from promptops_platform.catalog.tables import PromptSummaryRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.prompts.reading import PromptReader
from promptops_platform.realtime.prompt_holders import PromptHolders, PromptPlace
from promptops_platform.realtime.reports import EVERY_KEY
from promptops_platform.runlog.prices import NANOS_A_DOLLAR
from promptops_platform.runlog.prompt_calls import PromptCalls
from promptops_platform.workflows.service import WorkflowService
from promptops_platform.workspaces.service import WorkspaceService

MOST_PROGRAMS = 100


class Catalog:
    """Reads only. What the caller can't see is left out."""

    def __init__(
        self,
        *,
        grants: Grants,
        workspaces: WorkspaceService,
        prompts: PromptReader,
        agents: AgentService,
        workflows: WorkflowService,
        holders: PromptHolders,
        calls: PromptCalls,
    ) -> None:
        self._grants = grants
        self._workspaces = workspaces
        self._prompts = prompts
        self._agents = agents
        self._workflows = workflows
        self._holders = holders
        self._calls = calls

    async def key_filter(
        self,
        transaction: Transaction,
        workspace: str | None,
        client: str | None,
        *,
        actor: Actor,
        **values: Any,
    ) -> KeyFilter:
        """Return the filter of a request; `client` is a program's name. Raises NotFound for an
        unknown workspace."""
        workspace_row = await self._workspaces.find(transaction, workspace, actor=actor)
        self._grants.require(actor, Permission.PROMPTS_READ, workspace_row.id)
        key_filter = KeyFilter(workspace_row.id, environments=actor.environments or None, **values)
        if client is None:
            return key_filter
        programs = await self._holders.keys_by_program(workspace_row.id, actor=actor)
        keys = programs.get(client, frozenset())
        return key_filter if EVERY_KEY in keys else replace(key_filter, keys=keys)

    async def page(
        self, transaction: Transaction, key_filter: KeyFilter, *, sort: str, limit: int, offset: int
    ) -> tuple[list[PromptKey], int]:
        """Return a page of keys in order, and the total; `-` before the column reverses the
        order."""
        lines, total = await KeyList(transaction.session, key_filter).page(
            sort.removeprefix("-"), descending=sort.startswith("-"), limit=limit, offset=offset
        )
        rows = await repository.summaries(
            transaction.session,
            key_filter.workspace_id,
            [line.key for line in lines],
            key_filter.environments,
        )
        by_key: defaultdict[str, list[Row[Any]]] = defaultdict(list)
        for row in rows:
            by_key[row[0].key].append(row)
        return [
            _shown(by_key[line.key], key_filter.env) for line in lines if line.key in by_key
        ], total

    async def facets(
        self, transaction: Transaction, key_filter: KeyFilter, *, actor: Actor
    ) -> PromptFacets:
        """Return the values of each filter, counted over the keys that match the other filters."""
        keys = KeyList(transaction.session, key_filter)
        programs = await self._holders.keys_by_program(key_filter.workspace_id, actor=actor)
        return PromptFacets(
            state=_values(await keys.states()),
            env=_values(await keys.values("env")),
            client=_values(await _program_counts(programs, keys)),
            tag=_values(await keys.tags()),
            category=_values(await keys.values("category")),
            model=_values(await keys.values("model")),
            author=_values(await keys.values("author")),
        )

    async def programs(
        self,
        transaction: Transaction,
        key_filter: KeyFilter,
        keys: Sequence[str],
        *,
        actor: Actor,
    ) -> list[KeyPrograms]:
        """Return how many programs have each of these keys in memory, in the filter's environment;
        unknown keys are left out."""
        rows = await repository.summaries(
            transaction.session, key_filter.workspace_id, keys, key_filter.environments
        )
        places = [
            PromptPlace(summary.prompt_id, summary.env, summary.key)
            for summary, _ in rows
            if key_filter.env in (None, summary.env)
        ]
        tallies = await self._holders.tallies(places, actor=actor)
        return [KeyPrograms(key=key, **tallies[key]._asdict()) for key in keys if key in tallies]

    async def last_day(
        self,
        transaction: Transaction,
        key_filter: KeyFilter,
        keys: Sequence[str],
        *,
        actor: Actor,
    ) -> LastDay:
        """Return how often each of these keys was called, in the filter's environment. Raises
        Forbidden for an API key that is limited to environments, like all statistics."""
        self._grants.require(actor, Permission.RUNS_STATS, key_filter.workspace_id)
        since, days = await self._calls.last_day(
            transaction, key_filter.workspace_id, keys, key_filter.env
        )
        return LastDay(
            since=since,
            keys=[
                KeyCalls(
                    key=key,
                    calls=sum(days[key].hours),
                    errors=days[key].errors,
                    cost_usd=days[key].cost_nanos / NANOS_A_DOLLAR,
                    hours=days[key].hours,
                )
                for key in dict.fromkeys(keys)
                if key in days
            ],
        )

    async def usage(self, transaction: Transaction, prompt_id: str, *, actor: Actor) -> PromptUsage:
        """Return what uses a prompt; raises NotFound and Forbidden."""
        row = await self._prompts.get(transaction, prompt_id, actor=actor)
        slot = (row.workspace_id, row.key, row.env)
        agents = await self._agents.using(transaction, *slot)
        workflows = await self._workflows.using(transaction, *slot, actor=actor)
        groups = await self._holders.groups(PromptPlace(row.id, row.env, row.key), actor=actor)
        return PromptUsage(
            agents=[
                AgentUse(id=agent_id, key=key, name=name, version=reference.version)
                for agent_id, key, name, reference in agents
            ],
            workflows=[
                WorkflowUse(id=workflow.id, key=workflow.key, name=workflow.name, steps=steps)
                for workflow, steps in workflows
            ],
            programs=[
                ProgramUse(
                    app=group.app,
                    client_type=group.client_type,
                    version=group.version,
                    revision=group.revision,
                    **group.tally._asdict(),
                )
                for group in groups[:MOST_PROGRAMS]
            ],
        )


def _shown(rows: Sequence[Row[Any]], env: str | None) -> PromptKey:
    """Return a key with all its rows; with an environment, state and change are those of that
    environment."""
    ordered = sorted(rows, key=lambda row: row[0].env)
    environments = [_environment(summary, variants) for summary, variants in ordered]
    visible = [place for place in environments if env in (None, place.env)]
    newest = max(visible, key=lambda place: place.updated_at)
    summary = next(row[0] for row in rows if row[0].env == newest.env)
    return PromptKey(
        key=summary.key,
        workspace_id=summary.workspace_id,
        name=summary.name,
        category=summary.category,
        tags=summary.tags,
        model=summary.model,
        state=max((place.state for place in visible), key=STATES.index),
        updated_at=newest.updated_at,
        updated_by=newest.updated_by,
        environments=environments,
    )


def _environment(
    summary: PromptSummaryRow, variants: list[dict[str, Any]] | None
) -> KeyEnvironment:
    return KeyEnvironment(
        id=summary.prompt_id,
        env=summary.env,
        state=_state(summary, variants),
        version=summary.published_version,
        draft_version=summary.version,
        updated_at=summary.updated_at,
        updated_by=summary.updated_by,
        variants=variants,
    )


def _state(summary: PromptSummaryRow, variants: list[dict[str, Any]] | None) -> State:
    """Must be the same ranking as in the list's SQL."""
    if variants is not None:
        return "ramping"
    if summary.published_hash is None:
        return "never"
    return "published" if summary.published_hash == summary.draft_hash else "draft"


async def _program_counts(programs: Mapping[str, frozenset[str]], keys: KeyList) -> list[Count]:
    """Return how many of the matching keys each program has in memory, most first."""
    if not programs:
        return []
    held_by_any = frozenset().union(*programs.values())
    hits = set(await keys.matching(None if EVERY_KEY in held_by_any else held_by_any))
    counts = [
        Count(name, len(hits) if EVERY_KEY in held else len(hits & held))
        for name, held in programs.items()
    ]
    return sorted((count for count in counts if count.number), key=lambda tag: (-tag[1], tag[0]))


def _values(counts: Sequence[Count]) -> list[FacetValue]:
    return [FacetValue(value=value, count=number) for value, number in counts]
