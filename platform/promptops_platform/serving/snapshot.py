"""What every fetch returns, prepared in memory."""

from collections.abc import Iterable, Iterator, Sequence
from sys import intern
from typing import NamedTuple, Self

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.changes.schemas import Change, ChangeType, NumberedChange
from promptops_platform.db.unit_of_work import Database
from promptops_platform.prompts.schemas import ServedPrompt, Slot
from promptops_platform.prompts.service import PromptService
from promptops_platform.rollouts.schemas import RunningRollout
from promptops_platform.rollouts.service import RolloutService
from promptops_platform.serving.answer import rest_of_whole
from promptops_platform.serving.rollout_answers import Answer, RolloutAnswers

# Edits of drafts are not included: they don't change what is served.
PROMPT_CHANGES = frozenset(
    {ChangeType.PROMPT_UPDATED, ChangeType.PROMPT_PUBLISHED, ChangeType.PROMPT_DELETED}
)


class Entry(NamedTuple):
    """The prepared response for one key in one environment; `spread` while a rollout is running."""

    workspace_id: str
    prompt_id: str
    version: str
    is_published: bool
    answer: Answer
    spread: RolloutAnswers | None
    # The members of the full form that the response lacks.
    rest: bytes

    @classmethod
    def of(cls, served: ServedPrompt, rollout: RunningRollout | None) -> Self:
        return cls(
            # Few different values for many entries.
            intern(served.workspace_id),
            served.prompt_id,
            intern(served.version),
            served.is_published,
            Answer.of(served),
            RolloutAnswers.of(rollout) if rollout is not None else None,
            rest_of_whole(served),
        )

    @property
    def whole(self) -> bytes:
        """Return the full form of the prompt, including its rollout."""
        rollout = b"null" if self.spread is None else self.spread.whole
        return b"".join((self.answer.body[:-1], self.rest, b',"rollout":', rollout, b"}"))

    def answer_for(self, subject: str | None) -> Answer:
        """Return the response to a fetch for this subject, or without a subject."""
        return self.answer if self.spread is None else self.spread.assign(subject).answer

    def explained_for(self, subject: str | None) -> Answer:
        """Like `answer_for`, with the reason in the response."""
        if self.spread is not None:
            return self.spread.explained(subject)
        return self.answer.explained({"reason": "published" if self.is_published else "draft"})

    def as_change(self, kind: ChangeType, env: str, key: str) -> Change:
        """Return the change that notifies watchers of this entry."""
        return Change(kind, self.prompt_id, self.workspace_id, key, env, self.version)


Entries = dict[tuple[str, str], tuple[Entry, ...]]


class Snapshot:
    """Prepared responses by environment and key; a consumer of the change feed."""

    def __init__(
        self,
        database: Database,
        prompts: PromptService,
        rollouts: RolloutService,
        grants: Grants,
    ) -> None:
        self._database = database
        self._prompts = prompts
        self._rollouts = rollouts
        self._grants = grants
        self._is_loaded = False
        # Most names have one entry; they have several only if workspaces use the same key.
        self._entries: Entries = {}
        self._missed: list[Change] = []
        self._loads = 0
        self._replaced: dict[str, int] = {}

    def __len__(self) -> int:
        """Return the number of prepared responses."""
        return sum(map(len, self._entries.values()))

    def lookup(self, actor: Actor, workspace: str | None, env: str, key: str) -> Entry | None:
        """Return the entry for `key`: of the workspace of the caller's API key, else of `workspace`
        (id or slug), else of `default`, else of the oldest workspace that has it, that the caller
        may see, and that is marked for callers who don't name one."""
        entries = self._entries.get((env, key))
        if entries is None:
            return None
        workspace_name = actor.workspace_id or workspace
        if workspace_name:
            workspace_id = self._grants.find(actor, workspace_name)
            return next((entry for entry in entries if entry.workspace_id == workspace_id), None)
        return _first(entries, self._grants.implicit(actor))

    def first(self, env: str, key: str, workspaces: frozenset[str]) -> Entry | None:
        """Return the entry for `key` for a caller who fetches from these workspaces."""
        entries = self._entries.get((env, key))
        return None if entries is None else _first(entries, workspaces)

    def environment(self, env: str, workspaces: frozenset[str]) -> list[tuple[str, Entry]]:
        """Return what a fetch returns for each key, sorted by key, for callers who fetch from these
        workspaces. Takes long for many keys, and may run in a thread."""
        first_entries = (
            (key, _first(entries, workspaces))
            for (entry_env, key), entries in list(self._entries.items())
            if entry_env == env
        )
        return sorted(((key, entry) for key, entry in first_entries if entry is not None), key=_key)

    def generation(self, env: str) -> tuple[int, int]:
        """Return a number that differs whenever a response of this environment has changed."""
        return (self._loads, self._replaced.get(env, 0))

    async def load(self) -> None:
        entries: Entries = {}
        async with self._database.read() as transaction:
            rollouts = await self._rollouts.running(transaction)
            async for served in self._prompts.all_served(transaction):
                name = (intern(served.env), served.key)
                entry = Entry.of(served, rollouts.get(served.prompt_id))
                entries[name] = self._ranked([*entries.get(name, ()), entry])
        if self._is_loaded:
            self._missed += _differences(self._entries, entries)
        self._entries, self._is_loaded = entries, True
        self._loads += 1

    def take_missed(self) -> list[Change]:
        """Return what reloads have changed since the last call, as changes of the feed; nothing for
        the first load, before which there were no watchers."""
        missed, self._missed = self._missed, []
        return missed

    async def apply(self, changes: Sequence[NumberedChange]) -> None:
        slots = {_slot(numbered) for numbered in changes if numbered.change.type in PROMPT_CHANGES}
        if not slots:
            return
        async with self._database.read() as transaction:
            served = await self._prompts.served(transaction, sorted(slots))
            rollouts = await self._rollouts.running(
                transaction, [prompt.prompt_id for prompt in served]
            )
        entries = {
            (prompt.workspace_id, prompt.env, prompt.key): Entry.of(
                prompt, rollouts.get(prompt.prompt_id)
            )
            for prompt in served
        }
        for slot in slots:
            self._replace(slot, entries.get(slot))

    def _replace(self, slot: Slot, entry: Entry | None) -> None:
        workspace_id, env, key = slot
        self._replaced[env] = self._replaced.get(env, 0) + 1
        others = [
            entry
            for entry in self._entries.get((env, key), ())
            if entry.workspace_id != workspace_id
        ]
        if entry is not None:
            others.append(entry)
        if others:
            self._entries[env, key] = self._ranked(others)
        else:
            self._entries.pop((env, key), None)

    def _ranked(self, entries: Iterable[Entry]) -> tuple[Entry, ...]:
        ranks = self._grants.ranks
        last = len(ranks)
        return tuple(sorted(entries, key=lambda entry: ranks.get(entry.workspace_id, last)))


def _first(entries: tuple[Entry, ...], workspaces: frozenset[str]) -> Entry | None:
    return next((entry for entry in entries if entry.workspace_id in workspaces), None)


def _key(item: tuple[str, Entry]) -> str:
    return item[0]


def _slot(numbered: NumberedChange) -> Slot:
    change = numbered.change
    return (change.workspace_id or "", change.env, change.key)


def _differences(old: Entries, new: Entries) -> Iterator[Change]:
    """Yield updates of what is new or different, and deletions of what is gone."""
    for (env, key), entries in new.items():
        for entry in entries:
            if entry not in old.get((env, key), ()):
                yield entry.as_change(ChangeType.PROMPT_UPDATED, env, key)
    for (env, key), entries in old.items():
        kept = {entry.prompt_id for entry in new.get((env, key), ())}
        for entry in entries:
            if entry.prompt_id not in kept:
                yield entry.as_change(ChangeType.PROMPT_DELETED, env, key)
