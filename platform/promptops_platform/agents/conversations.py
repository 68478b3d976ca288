"""The conversations that agents remember.

A run reads the conversation before it starts, claims it in the transaction that opens the run, and
adds to it in the one that closes it. If another run has intervened or is in progress, the run is
refused: turns of two runs never mix, and no answer misses an earlier one. A run that fails or is
interrupted adds nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.access.scopes import joint_scope, seen_scopes, sees
from promptops_platform.agents import repository
from promptops_platform.agents.memory import ConversationMemory, ShownTurn, StoredTurn
from promptops_platform.agents.service import AgentService
from promptops_platform.agents.tables import AgentRow, ConversationRow
from promptops_platform.agents.window import windowed
from promptops_platform.audit.service import AuditTrail
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import Conflict, Forbidden, NotFound, SecretUnreadable
from promptops_platform.execution.followers import RunFollower, RunOutcome
from promptops_platform.ids import new_id
from promptops_platform.runlog.service import RunLog
from promptops_providers.protocol import Message


@dataclass(frozen=True, slots=True)
class ConversationSnapshot:
    """A conversation in the state in which it was read; `history` is the part that the model
    receives. `asked_id` is the caller's id for it, `name` the stored id."""

    workspace_id: str
    agent_id: str
    asked_id: str
    name: str
    # Empty for a new one.
    id: str
    messages: int
    history: list[Message]
    # The scope of the run that claims it, combined with the scope of earlier messages.
    scope: str | None

    @property
    def kept(self) -> dict[str, Any]:
        """Return what is needed at the end of the run, as JSON; its plan contains the history."""
        names = ("workspace_id", "agent_id", "asked_id", "name", "id", "messages", "scope")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """Return the conversation from what `kept` has returned."""
        return cls(**kept, history=[])


@dataclass(frozen=True, slots=True)
class Resealed:
    """The number of turns that were sealed again, and of unreadable conversations that were
    deleted."""

    turns: int
    deleted: int


class ConversationService:
    """Reads and stores conversations."""

    def __init__(
        self,
        *,
        agents: AgentService,
        memory: ConversationMemory,
        runs: RunLog,
        audit: AuditTrail,
        clock: Clock,
    ) -> None:
        self._agents = agents
        self._memory = memory
        self._runs = runs
        self._audit = audit
        self._clock = clock

    async def load(
        self,
        transaction: Transaction,
        agent: AgentRow,
        asked_id: str,
        scope: str | None,
        *,
        actor: Actor,
    ) -> ConversationSnapshot:
        """Return a conversation, empty if it is new, for a run with this scope; raises Forbidden
        for one that the caller may not see, and SecretUnreadable."""
        name = self._memory.name(agent.id, asked_id)
        row = await repository.conversation(transaction.session, agent.id, name)
        if row is not None and row.messages:
            _require_visible(actor, row)
            scope = joint_scope(scope, row.scope)
        rows = (
            await repository.messages(transaction.session, row.id, newest=agent.window_messages)
            if row is not None
            else []
        )
        history = windowed(
            await self._memory.messages(rows),
            most=agent.window_messages,
            tokens=agent.window_tokens,
        )
        identity = (row.id, row.messages) if row is not None else ("", 0)
        return ConversationSnapshot(
            agent.workspace_id, agent.id, asked_id, name, *identity, history, scope
        )

    async def claim(
        self, transaction: Transaction, seen: ConversationSnapshot, run_id: str
    ) -> None:
        """Claim the conversation for a run; raises Conflict if another run has it, or has changed
        it since it was read, and NotFound if the agent is deleted."""
        if not await repository.lock_row(transaction.session, seen.agent_id):
            raise NotFound(f"agent {seen.agent_id!r} not found; it was deleted meanwhile")
        row = await repository.conversation(
            transaction.session, seen.agent_id, seen.name, lock=True
        )
        if row is None:
            row = self._new(seen, run_id)
            if not await repository.add_unless_taken(transaction.session, row):
                raise _busy(seen.asked_id)
        elif _has_moved(row, seen) or await self._runs.is_under_way(transaction, row.run_id):
            raise _busy(seen.asked_id)
        row.run_id = run_id

    async def end(
        self,
        transaction: Transaction,
        seen: ConversationSnapshot,
        run_id: str,
        turns: list[dict[str, Any]],
    ) -> None:
        """Add the messages of a run; none if it failed or the conversation was deleted
        meanwhile."""
        row = await repository.conversation(
            transaction.session, seen.agent_id, seen.name, lock=True
        )
        if row is None or row.run_id != run_id or await self._has_ended(transaction, row, run_id):
            return
        if not turns and row.messages == 0:
            await repository.forget(transaction.session, row.id)
            return
        now = self._clock.now()
        first = StoredTurn(row.id, row.messages, run_id, now)
        transaction.session.add_all(await self._memory.rows(first, turns))
        if turns:
            row.scope = seen.scope
        row.messages += len(turns)
        row.updated_at = now if turns else row.updated_at

    async def page(
        self, transaction: Transaction, agent_id: str, *, actor: Actor, limit: int, offset: int
    ) -> tuple[list[ConversationRow], int]:
        """Return an agent's conversations that the caller can see, latest first, and the total;
        raises NotFound."""
        await self._agents.get(transaction, agent_id, actor=actor)
        return await repository.conversations(
            transaction.session, agent_id, seen_scopes(actor), limit=limit, offset=offset
        )

    async def get(
        self, transaction: Transaction, agent_id: str, name: str, *, actor: Actor, newest: int
    ) -> tuple[ConversationRow, list[ShownTurn]]:
        """Return a conversation and its newest messages in chronological order, in their visible
        form; raises NotFound, also if the caller can't see it, and SecretUnreadable."""
        await self._agents.get(transaction, agent_id, actor=actor)
        row = await self._existing(transaction, agent_id, name, actor)
        rows = await repository.messages(transaction.session, row.id, newest=newest)
        return row, await self._memory.shown(rows)

    async def forget(
        self, transaction: Transaction, agent_id: str, name: str, *, actor: Actor
    ) -> None:
        """Delete a conversation; messages that a run in progress would add are dropped. Raises
        NotFound and Forbidden."""
        agent = await self._agents.get(
            transaction, agent_id, actor=actor, permission=Permission.AGENTS_WRITE
        )
        row = await self._existing(transaction, agent_id, name, actor, lock=True)
        await repository.forget(transaction.session, row.id)
        self._audit.record(
            transaction,
            actor=actor,
            action="delete",
            resource="conversation",
            resource_id=row.id,
            key=agent.key,
            summary=f"deleted a conversation of {row.messages} messages with agent {agent.key}",
            workspace_id=agent.workspace_id,
            before={"conversation_id": row.name, "messages": row.messages},
        )

    async def check(self, transaction: Transaction) -> None:
        """Raises StartRefused if this platform can't read the sealed turns."""
        row = await repository.any_sealed(transaction.session)
        if row is not None:
            self._memory.check(row)

    async def rotate(self, transaction: Transaction, *, forget: bool) -> Resealed:
        """Seal all turns again with the first secret key; raises SecretUnreadable for a
        conversation that can't be read, and StartRefused, unless unreadable ones should be
        deleted."""
        if not forget:
            await self.check(transaction)
        turns, unreadable = 0, set[str]()
        async for row in repository.sealed_messages(transaction.session):
            sealed = self._memory.resealed(row)
            if sealed is None:
                unreadable.add(row.conversation_id)
            else:
                row.sealed, turns = sealed, turns + 1
        if unreadable and not forget:
            raise SecretUnreadable(
                f"nothing was changed: {len(unreadable)} conversations can't be read; give their "
                "secret key in PROMPTOPS_SECRET_KEY as well, or say --forget-unreadable"
            )
        for conversation_id in sorted(unreadable):
            await repository.forget(transaction.session, conversation_id)
        return Resealed(turns, len(unreadable))

    async def _existing(
        self,
        transaction: Transaction,
        agent_id: str,
        name: str,
        actor: Actor,
        *,
        lock: bool = False,
    ) -> ConversationRow:
        stored = self._memory.name(agent_id, name)
        row = await repository.conversation(transaction.session, agent_id, stored, lock=lock)
        if row is None or row.messages == 0 or not sees(actor, row.scope):
            raise NotFound(
                f"conversation {name!r} not found; GET /api/agents/{agent_id}/conversations lists "
                "them"
            )
        return row

    async def _has_ended(self, transaction: Transaction, row: ConversationRow, run_id: str) -> bool:
        """Whether the run's turns are already stored, by a commit that seemed to have failed."""
        last = await repository.messages(transaction.session, row.id, newest=1)
        return any(step.run_id == run_id for step in last)

    def _new(self, seen: ConversationSnapshot, run_id: str) -> ConversationRow:
        now = self._clock.now()
        return ConversationRow(
            id=new_id(),
            workspace_id=seen.workspace_id,
            agent_id=seen.agent_id,
            name=seen.name,
            messages=0,
            run_id=run_id,
            scope=seen.scope,
            created_at=now,
            updated_at=now,
        )


class ConversationFollower(RunFollower):
    """Connects a run with its conversation."""

    def __init__(
        self, conversations: ConversationService, seen: ConversationSnapshot, run_id: str
    ) -> None:
        self._conversations = conversations
        self._seen = seen
        self._run_id = run_id

    @property
    def kept(self) -> dict[str, Any] | None:
        return self._seen.kept

    async def open(self, transaction: Transaction) -> None:
        await self._conversations.claim(transaction, self._seen, self._run_id)

    async def close(self, transaction: Transaction, outcome: RunOutcome) -> None:
        turns = (outcome.end.agent or {}).get("turns", []) if outcome.end.status == "ok" else []
        await self._conversations.end(transaction, self._seen, self._run_id, turns)


def _has_moved(row: ConversationRow, seen: ConversationSnapshot) -> bool:
    """Whether it has changed since it was read; an empty one counts as new."""
    return row.messages != seen.messages or (row.messages > 0 and row.id != seen.id)


def _require_visible(actor: Actor, row: ConversationRow) -> None:
    """The model would reveal the earlier messages."""
    if not sees(actor, row.scope):
        raise Forbidden(
            f"forbidden: conversation {row.name!r} belongs to environments that this API key "
            "can't access; send another conversation_id"
        )


def _busy(name: str) -> Conflict:
    return Conflict(
        f"conversation_id: another run of conversation {name!r} is in progress or has just ended; "
        "wait for its answer and send this again"
    )
