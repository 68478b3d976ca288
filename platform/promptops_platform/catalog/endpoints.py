"""Routes of the list of prompts by key, and of the uses of a prompt."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.catalog.repository import KeyFilter, State
from promptops_platform.catalog.schemas import (
    KeyPrograms,
    LastDay,
    PromptFacets,
    PromptKey,
    PromptUsage,
)
from promptops_platform.catalog.service import Catalog
from promptops_platform.errors import HeadTooLarge
from promptops_platform.field_types import Line, OptionalLine, OptionalSearchTerm, ResourceId
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import Data, Page
from promptops_platform.http.paging import DEFAULT_PAGE, Limit, Offset
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Read
from promptops_platform.runlog.endpoints import up_to_date

MOST_KEYS = 200
Sort = Literal["key", "-key", "name", "-name", "state", "-state", "updated_at", "-updated_at"]

router = APIRouter(prefix="/api", tags=["prompts"])


Service = Annotated[Catalog, provided(Catalog)]
Workspace = Annotated[
    OptionalLine, Query(description="Id or slug; by default that of the API key, else `default`.")
]
Environment = Annotated[OptionalLine, Query(description="Only this environment.")]
Keys = Annotated[
    list[Line],
    Query(max_length=MOST_KEYS, description=f"May be repeated, up to {MOST_KEYS} times."),
]


@dataclass(frozen=True)
class KeyQuery:
    """The filters of a request, before they are limited to what the caller can see."""

    workspace: str | None
    client: str | None
    values: dict[str, Any]

    async def resolve(self, service: Catalog, transaction: Read, actor: Actor) -> KeyFilter:
        return await service.key_filter(
            transaction, self.workspace, self.client, actor=actor, **self.values
        )


def _key_query(
    workspace: Workspace = None,
    q: Annotated[OptionalSearchTerm, Query(description="Text in key, name or content.")] = None,
    env: Annotated[
        OptionalLine, Query(description="Only this environment; `state` is then the state in it.")
    ] = None,
    state: Annotated[State | None, Query(description="The state of the key.")] = None,
    tag: OptionalLine = None,
    category: OptionalLine = None,
    model: OptionalLine = None,
    author: Annotated[OptionalLine, Query(description="Who changed it last.")] = None,
    client: Annotated[
        OptionalLine, Query(description="A connected program that caches the key.")
    ] = None,
) -> KeyQuery:
    values: dict[str, Any] = {"text": q, "env": env, "state": state, "tag": tag}
    values |= {"category": category, "model": model, "author": author}
    return KeyQuery(workspace, client, values)


KeyQueryParameters = Annotated[KeyQuery, Depends(_key_query)]


@router.get("/prompt-keys")
async def list_prompt_keys(
    service: Service,
    transaction: Read,
    query: KeyQueryParameters,
    sort: Annotated[Sort, Query(description="`-` before the column reverses the order.")] = (
        "-updated_at"
    ),
    limit: Limit = DEFAULT_PAGE,
    offset: Offset = 0,
    actor: Actor = permits(Permission.PROMPTS_READ),
) -> Page[PromptKey]:
    """List the prompts of a workspace, one row per key. All filters except `state` must match the
    key's prompt in the same environment."""
    keys = await query.resolve(service, transaction, actor)
    data, total = await service.page(transaction, keys, sort=sort, limit=limit, offset=offset)
    return Page(data=data, total=total)


@router.get("/prompt-keys/facets")
async def list_prompt_facets(
    service: Service,
    transaction: Read,
    query: KeyQueryParameters,
    actor: Actor = permits(Permission.PROMPTS_READ),
) -> Data[PromptFacets]:
    """Return the values of each filter of the list of keys, each with the number of keys that match
    all other filters."""
    keys = await query.resolve(service, transaction, actor)
    return Data(data=await service.facets(transaction, keys, actor=actor))


# Many long keys may exceed the size limit of the request's head.
@router.get("/prompt-keys/programs", responses=may_answer(HeadTooLarge))
async def list_prompt_programs(
    service: Service,
    transaction: Read,
    key: Keys = [],  # noqa: B006
    workspace: Workspace = None,
    env: Environment = None,
    actor: Actor = permits(Permission.CLIENTS_READ),
) -> Data[list[KeyPrograms]]:
    """Return how many programs have each of these keys in memory. Unknown keys are left out."""
    keys = await service.key_filter(transaction, workspace, None, actor=actor, env=env)
    return Data(data=await service.programs(transaction, keys, key, actor=actor))


@router.get(
    "/prompt-keys/calls",
    dependencies=[Depends(up_to_date)],
    responses=may_answer(HeadTooLarge),
)
async def list_prompt_calls(
    service: Service,
    transaction: Read,
    key: Keys = [],  # noqa: B006
    workspace: Workspace = None,
    env: Environment = None,
    actor: Actor = permits(Permission.RUNS_STATS),
) -> Data[LastDay]:
    """Return how often these keys were called in each of the last 24 hours, and the cost."""
    keys = await service.key_filter(transaction, workspace, None, actor=actor, env=env)
    return Data(data=await service.last_day(transaction, keys, key, actor=actor))


@router.get("/prompts/{prompt_id}/usage")
async def get_prompt_usage(
    prompt_id: ResourceId,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.PROMPTS_READ),
) -> Data[PromptUsage]:
    """List the agents and workflows that use a prompt, and the programs that have it in memory."""
    return Data(data=await service.usage(transaction, prompt_id, actor=actor))
