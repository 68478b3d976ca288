"""Responses to requests that clients repeat: each starts a single run, at whichever replica."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from pydantic import BaseModel

from promptops_flows.telemetry.text_policy import TextPolicy
from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import Conflict, PlatformError, Unavailable
from promptops_platform.execution import idempotency_repository as repository
from promptops_platform.execution.detached import Also
from promptops_platform.execution.followers import ForwardingFollower, RunFollower, RunOutcome
from promptops_platform.execution.schemas import StartedRun
from promptops_platform.execution.tables import IdempotencyKeyRow
from promptops_platform.http.open_streams import OpenStreams
from promptops_platform.http.stop_signal import StopSignal
from promptops_platform.runlog.news import POLL_SECONDS, RunNews
from promptops_platform.runlog.tables import RunRow
from promptops_platform.sealing import SecretKeys, Unsealable

log = structlog.get_logger(__name__)

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
BATCH = 500


class KeyTaken(Conflict):
    """A concurrent request with the same key has just started a run."""

    def __init__(self) -> None:
        super().__init__(
            f"{HEADER}: another request with this key has just started a run; send it again for "
            "the same answer"
        )


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """The sender of a request and what distinguishes the request; `permission` is what its run
    requires."""

    actor: Actor
    permission: Permission
    key_hash: str
    content_hash: str

    @property
    def caller_id(self) -> str:
        """The owner of the key: an account and its API keys are distinct, because they may have
        different permissions."""
        return self.actor.key_id or self.actor.user_id or self.actor.name


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The response to an earlier, equal request."""

    run_id: str
    status: int
    body: Any = field(repr=False)


class IdempotentRuns:
    """If run texts are not kept, responses with texts aren't stored either."""

    def __init__(
        self,
        *,
        database: Database,
        grants: Grants,
        keys: SecretKeys,
        texts: TextPolicy,
        news: RunNews,
        streams: OpenStreams,
        stop: StopSignal,
        clock: Clock,
    ) -> None:
        self._database = database
        self._grants = grants
        self._keys = keys
        self._texts = texts
        self._news = news
        self._streams = streams
        self._stop = stop
        self._clock = clock

    def key(self, keyed: KeyedRequest) -> "RunKey":
        """Return the key of the run that the request starts."""
        return RunKey(self, keyed)

    async def answer(self, keyed: KeyedRequest) -> StoredAnswer | None:
        """Return the response to an earlier, equal request, waiting for it if needed; None if the
        key is new.

        Raises Forbidden, Conflict if the key was used with other content or the response isn't
        stored, TooManyRequests, and Unavailable if the server is stopping.
        """
        row, is_running = await self._find(keyed)
        if row is None or not self._is_awaited(row, is_running=is_running):
            return None if row is None else self._stored(row)
        caller_id = keyed.actor.caller_id
        with self._streams.opened(caller_id), self._news.watching(row.run_id) as watch:
            while True:
                # Check once more first: the run may have ended before the watch began.
                row, is_running = await self._find(keyed)
                if row is None or not self._is_awaited(row, is_running=is_running):
                    break
                if self._stop.is_set:
                    raise Unavailable(
                        f"the server is stopping; send the request again with the same {HEADER}"
                    )
                await watch.news(POLL_SECONDS)
        return None if row is None else self._stored(row)

    async def reserve(self, transaction: Transaction, keyed: KeyedRequest, run_id: str) -> None:
        """Store the key along with its run; raises KeyTaken."""
        # Flush the run first, because its key refers to it.
        await transaction.session.flush()
        now = self._clock.now()
        row = IdempotencyKeyRow(
            caller_id=keyed.caller_id,
            key_hash=keyed.key_hash,
            content_hash=keyed.content_hash,
            run_id=run_id,
            created_at=now,
        )
        if not await repository.add_unless_taken(transaction.session, row, before=now - KEPT):
            raise KeyTaken

    async def keep(
        self, transaction: Transaction, run_id: str, status: int, body: Any, *, has_texts: bool
    ) -> None:
        """Store the response."""
        sealed = None
        if self._texts.keeps_texts or not has_texts:
            sealed = await asyncio.to_thread(self._seal, run_id, body)
        await repository.keep(transaction.session, run_id, status, sealed)

    async def prune(self, transaction: Transaction) -> int:
        """Delete some of the expired keys; return how many."""
        return await repository.prune(transaction.session, self._clock.now() - KEPT, BATCH)

    async def rotate(self, transaction: Transaction) -> int:
        """Encrypt all responses again with the first secret key, and delete those that can't be
        read; return the number of encrypted ones."""
        count, sealer = 0, self._keys.sealer
        async for row in repository.sealed_answers(transaction.session):
            place = _place_of(row.run_id)
            try:
                row.sealed = sealer.seal(sealer.unseal(row.sealed or "", place), place)
                count += 1
            except Unsealable:
                row.sealed = None
        return count

    async def _find(self, keyed: KeyedRequest) -> tuple[IdempotencyKeyRow | None, bool]:
        """Return the row of the key, and whether its run has not ended."""
        since = self._clock.now() - KEPT
        async with self._database.read() as transaction:
            entry = await repository.find(
                transaction.session, keyed.caller_id, keyed.key_hash, since=since
            )
        if entry is None:
            return None, False
        row, is_running, workspace_id = entry
        self._grants.require(keyed.actor, keyed.permission, workspace_id)
        if row.content_hash != keyed.content_hash:
            raise Conflict(
                f"{HEADER}: this key was sent with other content before, which started run "
                f"{row.run_id!r}; send a new key with each new request"
            )
        return row, is_running

    def _is_awaited(self, row: IdempotencyKeyRow, *, is_running: bool) -> bool:
        return is_running and row.status is None and self._texts.keeps_texts

    def _stored(self, row: IdempotencyKeyRow) -> StoredAnswer:
        """Return the stored response; raises Conflict if it isn't stored."""
        if row.status is not None and row.sealed is not None:
            try:
                text = self._keys.sealer.unseal(row.sealed, _place_of(row.run_id))
            except Unsealable:
                log.warning("idempotent_answer_unreadable", run=row.run_id)
            else:
                return StoredAnswer(row.run_id, row.status, json.loads(text))
        raise Conflict(
            f"{HEADER}: the request with this key has started run {row.run_id!r}, whose answer is "
            f"not kept; read GET /api/runs/{row.run_id}, or send a new key to run it again"
        )

    def _seal(self, run_id: str, body: Any) -> str:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return self._keys.sealer.seal(text, _place_of(run_id))


class RunKey:
    """The key of a request, for the run that the request is about to start."""

    def __init__(self, runs: IdempotentRuns, keyed: KeyedRequest) -> None:
        self._runs = runs
        self._keyed = keyed

    def following(
        self, run_id: str, follower: RunFollower, result: Callable[[RunOutcome], BaseModel]
    ) -> RunFollower:
        """Return a follower that also stores the key with the run, and the response with its end:
        `result` returns the response, or raises it as an error."""

        async def reserve(transaction: Transaction) -> None:
            await self._runs.reserve(transaction, self._keyed, run_id)

        return _KeyFollower(follower, reserve, self._runs, result)

    def accepting(self, started: Callable[[RunRow], BaseModel]) -> Also:
        """Return what stores the key and the response to the start along with a detached run."""

        async def accept(transaction: Transaction, row: RunRow) -> None:
            await self._runs.reserve(transaction, self._keyed, row.id)
            body = started(row).model_dump(mode="json")
            await self._runs.keep(transaction, row.id, 202, body, has_texts=False)

        return accept


class _KeyFollower(ForwardingFollower):
    def __init__(
        self,
        follower: RunFollower,
        reserve: Callable[[Transaction], Awaitable[None]],
        runs: IdempotentRuns,
        result: Callable[[RunOutcome], BaseModel],
    ) -> None:
        super().__init__(follower)
        self._reserve = reserve
        self._runs = runs
        self._result = result

    async def open(self, transaction: Transaction) -> None:
        await super().open(transaction)
        await self._reserve(transaction)

    async def suspend(self, transaction: Transaction, row: RunRow) -> None:
        await super().suspend(transaction, row)
        body = StartedRun.of(row).model_dump(mode="json")
        await self._runs.keep(transaction, row.id, 202, body, has_texts=False)

    async def close(self, transaction: Transaction, outcome: RunOutcome) -> None:
        await super().close(transaction, outcome)
        try:
            status, body = 200, self._result(outcome).model_dump(mode="json")
        except PlatformError as error:
            status, body = error.status, error.body()
        await self._runs.keep(transaction, outcome.run_id, status, body, has_texts=True)


def _place_of(run_id: str) -> str:
    return f"answer:{run_id}"
