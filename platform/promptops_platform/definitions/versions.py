"""Versions of agents and workflows, and which of them each environment serves."""

from dataclasses import dataclass

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import require_environment
from promptops_platform.changes.schemas import Change
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions import repository
from promptops_platform.definitions.content import exact
from promptops_platform.definitions.diff import compare
from promptops_platform.definitions.gate import ServedGate
from promptops_platform.definitions.kinds import RowT
from promptops_platform.definitions.preconditions import Seen
from promptops_platform.definitions.schemas import (
    DRAFT,
    DefinitionPromotion,
)
from promptops_platform.definitions.service import DefinitionService
from promptops_platform.definitions.states import ServedState
from promptops_platform.definitions.tables import DefinitionMoveRow, DefinitionVersionRow
from promptops_platform.definitions.version_reading import VersionReader
from promptops_platform.errors import BadRequest, Conflict, NotFound
from promptops_platform.ids import new_id
from promptops_platform.past_tense import past_tense
from promptops_platform.workspaces.environments import EnvironmentService
from promptops_platform.workspaces.tables import EnvironmentRow


@dataclass(frozen=True, slots=True)
class PromotionOrder:
    """What to promote, and where; without a version, what `source` serves."""

    env: str
    publish: bool = True
    version: int | None = None
    source: str | None = None
    note: str = ""
    seen: Seen | None = None


class VersionService(VersionReader[RowT]):
    """Creates versions and serves them. Each change is audited; changes to what is served are also
    recorded in the feed and in the definition's history."""

    def __init__(
        self,
        definitions: DefinitionService[RowT],
        *,
        environments: EnvironmentService,
        gate: ServedGate,
        changes: ChangeLog,
        clock: Clock,
    ) -> None:
        super().__init__(definitions)
        self._environments = environments
        self._gate = gate
        self._changes = changes
        self._clock = clock

    async def make(
        self,
        transaction: Transaction,
        resource_id: str,
        *,
        actor: Actor,
        note: str = "",
        seen: Seen | None = None,
    ) -> tuple[DefinitionVersionRow, ServedState]:
        """Create a version of the working copy without serving it, or return the existing version
        with the same content. Raises NotFound, and EditedMeanwhile if the draft has changed."""
        row = await self._definitions.writable(transaction, resource_id, actor, seen)
        version, is_new = await self._version_of_draft(transaction, row, actor, note)
        if is_new:
            summary = f"created version {version.number} of {self.kind.noun} {row.key}"
            self._definitions.audited(
                transaction, row, actor, "version", summary, after={"version": version.number}
            )
            self._record(transaction, row, version.number, None)
        return version, await self._states.of(transaction, row)

    async def publish(
        self,
        transaction: Transaction,
        resource_id: str,
        *,
        actor: Actor,
        env: str | None = None,
        number: int | None = None,
        note: str = "",
        seen: Seen | None = None,
    ) -> tuple[DefinitionVersionRow, ServedState]:
        """Serve a version of the working copy, or an existing version, in an environment.

        A new environment is appended to those of the workspace. Raises NotFound for an unknown
        version, Forbidden, and EditedMeanwhile if the draft has changed.
        """
        await self._enter(transaction, resource_id, env, actor)
        row = await self._definitions.writable(transaction, resource_id, actor, seen)
        environment = await self._environment(transaction, row, env, actor)
        if number is None:
            version, _ = await self._version_of_draft(transaction, row, actor, note)
        else:
            version = await self.version(transaction, row, number, actor)
        await self._serve(transaction, row, version, environment, "publish", note, actor)
        return version, await self._states.of(transaction, row)

    async def rollback(
        self,
        transaction: Transaction,
        resource_id: str,
        number: int,
        *,
        actor: Actor,
        env: str | None = None,
        seen: Seen | None = None,
    ) -> tuple[RowT, ServedState]:
        """Serve an earlier version again, and make it the working copy; raises what `publish`
        raises, and NotFound for an unknown environment."""
        row = await self._definitions.writable(transaction, resource_id, actor, seen)
        environment = await self._environment(transaction, row, env, actor)
        version = await self.version(transaction, row, number, actor)
        await self._serve(transaction, row, version, environment, "rollback", "", actor)
        content = self.filled(version)
        if exact(content) != exact(self._definitions.content_of(row)):
            await self._definitions.admit_edit(transaction, row, "rollback", actor)
            self._definitions.replace(row, content)
        self._definitions.touch(row, actor)
        return row, await self._states.of(transaction, row)

    async def promote(
        self, transaction: Transaction, resource_id: str, order: PromotionOrder, *, actor: Actor
    ) -> DefinitionPromotion:
        """Serve in one environment what another serves, or return what that would change; raises
        what `publish` raises, and BadRequest if both are the same environment."""
        require_environment(actor, order.env)
        if order.publish:
            await self._enter(transaction, resource_id, order.env, actor)
        row = await self._definitions.writable(transaction, resource_id, actor, order.seen)
        state = await self._states.of(transaction, row)
        version = await self._promoted(transaction, row, order, state, actor)
        previous = state.number_in(order.env)
        content = self._definitions.content_of(row) if version is None else version.content
        if order.publish:
            if version is None:
                version, _ = await self._version_of_draft(transaction, row, actor, order.note)
            environment = await self._environment(transaction, row, order.env, actor)
            await self._serve(transaction, row, version, environment, "promote", order.note, actor)
        label = DRAFT if version is None else str(version.number)
        diff = None
        if previous is not None:
            old = await self.version(transaction, row, previous, actor)
            diff = compare(old.content, content, from_=str(previous), to=label)
        return DefinitionPromotion(
            env=order.env,
            version=None if version is None else version.number,
            previous_version=previous,
            published=order.publish,
            diff=diff,
        )

    async def _promoted(
        self,
        transaction: Transaction,
        row: RowT,
        order: PromotionOrder,
        state: ServedState,
        actor: Actor,
    ) -> DefinitionVersionRow | None:
        """Return the version to promote; None for the working copy."""
        if order.version is not None:
            return await self.version(transaction, row, order.version, actor)
        first = state.first_for(actor)
        source = order.source or (first.name if first else "")
        require_environment(actor, source)
        self.require_known(state, source)
        if source == order.env:
            raise BadRequest(
                f"env: {order.env!r} is where the {self.kind.noun} would come from; name another "
                "environment, or publish it there"
            )
        number = state.number_in(source)
        if number is not None:
            return await self.version(transaction, row, number, actor)
        if order.source and order.source != (first.name if first else None):
            raise NotFound(
                f"from: {self.kind.noun} {row.key!r} is not published in {source!r}; name a "
                "version, or an environment that serves it"
            )
        return None

    async def _enter(
        self, transaction: Transaction, resource_id: str, env: str | None, actor: Actor
    ) -> None:
        """Append a new environment before any row is locked, because this locks the workspace."""
        if env is not None:
            row = await self._definitions.get(
                transaction, resource_id, actor=actor, permission=self.kind.write
            )
            await self._environments.enter(transaction, row.workspace_id, env, actor=actor)

    async def _environment(
        self, transaction: Transaction, row: RowT, env: str | None, actor: Actor
    ) -> EnvironmentRow:
        """Return the given environment, or the first one, locked until the commit."""
        name = env
        if name is None:
            first = (await self._states.of(transaction, row)).first_for(actor)
            if first is None:
                raise Conflict("env: the workspace has no environment; have an admin add one")
            name = first.name
        return await self._environments.require(transaction, row.workspace_id, name, actor=actor)

    async def _version_of_draft(
        self, transaction: Transaction, row: RowT, actor: Actor, note: str
    ) -> tuple[DefinitionVersionRow, bool]:
        """Return the version of the working copy, and whether it is new."""
        session = transaction.session
        version = await repository.version_with_content(session, row.id, row.content_hash)
        if version is not None:
            return version, False
        version = DefinitionVersionRow(
            id=new_id(),
            workspace_id=row.workspace_id,
            resource_id=row.id,
            number=row.version,
            content=self._definitions.content_of(row),
            content_hash=row.content_hash,
            note=note,
            author=actor.name,
            created_at=self._clock.now(),
        )
        repository.add(session, version)
        await session.flush()
        return version, True

    async def _serve(
        self,
        transaction: Transaction,
        row: RowT,
        version: DefinitionVersionRow,
        environment: EnvironmentRow,
        action: str,
        note: str,
        actor: Actor,
    ) -> None:
        """Point an environment at a version."""
        self._definitions.check(row.workspace_id, self.filled(version), actor=actor)
        env, number = environment.name, version.number
        previous = (await self._states.of(transaction, row)).number_in(env)
        change = self._definitions.served_change(row, env, action, previous, number)
        self._gate.admit(change, environment, transaction, actor=actor)
        if previous != number:
            await repository.serve(transaction.session, version, env)
            self._states.forget(transaction, row)
            move = DefinitionMoveRow(
                workspace_id=row.workspace_id,
                resource_id=row.id,
                action=action,
                env=env,
                version=number,
                previous_version=previous,
                note=note,
                actor=actor.name,
                created_at=self._clock.now(),
            )
            repository.add(transaction.session, move)
            await transaction.session.flush()
        self._record(transaction, row, number, env)
        self._definitions.audited(
            transaction,
            row,
            actor,
            action,
            f"{past_tense(action)} {self.kind.noun} {row.key}, version {number} in {env}",
            before={"env": env, "published_version": previous},
            after={"env": env, "published_version": number},
        )

    def _record(self, transaction: Transaction, row: RowT, number: int, env: str | None) -> None:
        """Add to the feed a version that an environment serves, or one that was only created."""
        change_type = self.kind.saved if env is None else self.kind.published
        change = Change(
            change_type, row.id, row.workspace_id, row.key, env=env or "", version=str(number)
        )
        self._changes.record(transaction, change)
