"""Version routes, the same for agents and workflows."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.db.pages import Part
from promptops_platform.definitions.approvals import PROPOSABLE, ordered
from promptops_platform.definitions.kinds import Kind
from promptops_platform.definitions.preconditions import IfMatch, Seen, etag, seen_revisions
from promptops_platform.definitions.schemas import (
    HIGHEST_NUMBER,
    DefinitionDiff,
    DefinitionMove,
    DefinitionPromotion,
    DefinitionVersion,
    NewVersion,
    PromoteDefinition,
    PublishDefinition,
    RollbackDefinition,
    ServedFields,
)
from promptops_platform.definitions.states import ServedState
from promptops_platform.definitions.tables import DefinitionVersionRow
from promptops_platform.definitions.versions import PromotionOrder, VersionService
from promptops_platform.field_types import OptionalLine, ResourceId
from promptops_platform.http.envelope import Data, Page
from promptops_platform.http.paging import DEFAULT_PAGE, Limit, Offset
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Read, Write

ListedTags = Annotated[
    OptionalLine, Query(description="A tag, or several with commas between them: all must match.")
]
VersionNumber = Annotated[int, Path(ge=1, le=HIGHEST_NUMBER)]


def seen(
    if_match: str | None, if_revision: int | None, if_version: int | None = None
) -> Seen | None:
    """The states that the caller accepts as the newest; None if the last write wins."""
    revisions = seen_revisions(if_match, if_revision)
    if revisions is None and if_version is None:
        return None
    return Seen(revisions, if_version)


def add_version_routes(
    router: APIRouter,
    kind: Kind[Any],
    answer: type[ServedFields],
    versions: type[VersionService[Any]],
) -> None:
    """Add the version routes to those of a kind; `answer` is its working copy on the wire."""
    _add_reading(router, kind, versions)
    _add_making(router, kind, versions)
    _add_serving(router, kind, answer, versions)


def _add_reading(router: APIRouter, kind: Kind[Any], versions: type[VersionService[Any]]) -> None:
    noun = kind.noun
    Service = Annotated[VersionService[Any], provided(versions)]  # noqa: N806  a type
    Id = Annotated[ResourceId, Path(alias=f"{noun}_id")]  # noqa: N806  a type
    reader = permits(kind.read)

    @router.get(f"/{{{noun}_id}}/versions", name=f"list_{noun}_versions")
    async def list_versions(
        resource_id: Id,
        service: Service,
        transaction: Read,
        limit: Limit = DEFAULT_PAGE,
        offset: Offset = 0,
        actor: Actor = reader,
    ) -> Page[DefinitionVersion]:
        """List the versions, newest first."""
        rows, state, total = await service.page(
            transaction, resource_id, Part(limit, offset), actor=actor
        )
        return Page(data=[_version(row, state, actor) for row in rows], total=total)

    @router.get(f"/{{{noun}_id}}/versions/{{version}}", name=f"get_{noun}_version")
    async def get_version(
        resource_id: Id,
        version: VersionNumber,
        service: Service,
        transaction: Read,
        actor: Actor = reader,
    ) -> Data[DefinitionVersion]:
        """Get a version with its definition."""
        row, state = await service.get(transaction, resource_id, version, actor=actor)
        return Data(data=_version(row, state, actor))

    @router.get(
        f"/{{{noun}_id}}/history", name=f"list_{noun}_moves", summary=f"Get {noun.title()} History"
    )
    async def list_moves(
        resource_id: Id,
        service: Service,
        transaction: Read,
        limit: Limit = DEFAULT_PAGE,
        offset: Offset = 0,
        actor: Actor = reader,
    ) -> Page[DefinitionMove]:
        """List the changes of what each environment serves: what, when and by whom, newest
        first."""
        rows, total = await service.history(
            transaction, resource_id, Part(limit, offset), actor=actor
        )
        return Page(data=[DefinitionMove.of(row, id=str(row.id)) for row in rows], total=total)

    @router.get(
        f"/{{{noun}_id}}/diff", name=f"diff_{noun}", summary=f"Compare {noun.title()} Versions"
    )
    async def diff_versions(
        resource_id: Id,
        service: Service,
        transaction: Read,
        from_: Annotated[
            OptionalLine,
            Query(
                alias="from",
                description="A version's number; what the first environment serves by default.",
            ),
        ] = None,
        to: Annotated[
            OptionalLine, Query(description="A version's number, or `draft` for the working copy.")
        ] = None,
        actor: Actor = reader,
    ) -> Data[DefinitionDiff]:
        """Compare two versions. Without parameters, return what a publish would change."""
        diff = await service.diff(transaction, resource_id, actor=actor, from_=from_, to=to)
        return Data(data=diff)


def _add_making(router: APIRouter, kind: Kind[Any], versions: type[VersionService[Any]]) -> None:
    noun = kind.noun
    Service = Annotated[VersionService[Any], provided(versions)]  # noqa: N806  a type
    Id = Annotated[ResourceId, Path(alias=f"{noun}_id")]  # noqa: N806  a type
    writer = permits(kind.write)

    @router.post(
        f"/{{{noun}_id}}/versions",
        name=f"make_{noun}_version",
        summary=f"Create {noun.title()} Version",
    )
    async def make_version(
        resource_id: Id,
        service: Service,
        transaction: Write,
        body: NewVersion | None = None,
        if_match: IfMatch = None,
        actor: Actor = writer,
    ) -> Data[DefinitionVersion]:
        """Create a version of the working copy without serving it. If a version with the same
        definition exists, it is returned."""
        wish = body or NewVersion()
        row, state = await service.make(
            transaction,
            resource_id,
            actor=actor,
            note=wish.note or "",
            seen=seen(if_match, wish.if_revision),
        )
        return Data(data=_version(row, state, actor))

    @router.post(f"/{{{noun}_id}}/publish", name=f"publish_{noun}", responses=PROPOSABLE)
    async def publish(
        resource_id: Id,
        service: Service,
        transaction: Write,
        body: PublishDefinition | None = None,
        if_match: IfMatch = None,
        actor: Actor = writer,
    ) -> Data[DefinitionVersion]:
        """Publish to an environment: create a version of the working copy and serve it, or serve an
        existing version."""
        wish = body or PublishDefinition()
        note = wish.note or ""
        with ordered("publish", resource_id, env=wish.env, version=wish.version, note=note):
            row, state = await service.publish(
                transaction,
                resource_id,
                actor=actor,
                env=wish.env,
                number=wish.version,
                note=note,
                seen=seen(if_match, wish.if_revision),
            )
        return Data(data=_version(row, state, actor))


def _add_serving(
    router: APIRouter,
    kind: Kind[Any],
    answer: type[ServedFields],
    versions: type[VersionService[Any]],
) -> None:
    noun = kind.noun
    Service = Annotated[VersionService[Any], provided(versions)]  # noqa: N806  a type
    Id = Annotated[ResourceId, Path(alias=f"{noun}_id")]  # noqa: N806  a type
    writer = permits(kind.write)
    envelope: Any = Data

    @router.post(
        f"/{{{noun}_id}}/rollback",
        name=f"rollback_{noun}",
        response_model=envelope[answer],
        responses=PROPOSABLE,
    )
    async def rollback(
        resource_id: Id,
        body: RollbackDefinition,
        response: Response,
        service: Service,
        transaction: Write,
        if_match: IfMatch = None,
        actor: Actor = writer,
    ) -> Any:
        """Roll back to an earlier version. It is served immediately and becomes the working
        copy."""
        with ordered("rollback", resource_id, env=body.env, version=body.version):
            row, state = await service.rollback(
                transaction,
                resource_id,
                body.version,
                actor=actor,
                env=body.env,
                seen=seen(if_match, body.if_revision),
            )
        response.headers["etag"] = etag(row)
        return Data(data=answer.shown(row, state, actor))

    @router.post(f"/{{{noun}_id}}/promote", name=f"promote_{noun}", responses=PROPOSABLE)
    async def promote(
        resource_id: Id,
        body: PromoteDefinition,
        service: Service,
        transaction: Write,
        if_match: IfMatch = None,
        actor: Actor = writer,
    ) -> Data[DefinitionPromotion]:
        """Promote the version that one environment serves to another. With `publish: false`, only
        return what that would change."""
        order = PromotionOrder(
            env=body.env,
            publish=body.publish,
            version=body.version,
            source=body.from_,
            note=body.note or "",
            seen=seen(if_match, body.if_revision),
        )
        described = {"env": order.env, "version": order.version, "source": order.source}
        with ordered("promote", resource_id, **described, note=order.note):
            return Data(data=await service.promote(transaction, resource_id, order, actor=actor))


def _version(row: DefinitionVersionRow, state: ServedState, actor: Actor) -> DefinitionVersion:
    numbers = state.numbers(actor)
    return DefinitionVersion.of(
        row,
        version=row.number,
        definition=row.content,
        served_in=[env for env, number in numbers.items() if number == row.number],
    )
