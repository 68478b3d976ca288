"""Which programs have a prompt in memory, on all replicas, and how many of them have its newest
change."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from promptops_platform.access.actor import Actor
from promptops_platform.changes.replicas import Replicas
from promptops_platform.db.unit_of_work import Database
from promptops_platform.field_types import composed
from promptops_platform.realtime import repository
from promptops_platform.realtime.hub import Hub
from promptops_platform.realtime.lag import RecentChanges
from promptops_platform.realtime.live_clients import LiveClients
from promptops_platform.realtime.reports import EVERY_KEY
from promptops_platform.realtime.subscription import Visibility
from promptops_platform.realtime.watchers import CONSOLE, LegacyWatcher, ResumingWatcher
from promptops_platform.serving.snapshot import Snapshot


class PromptPlace(NamedTuple):
    """A prompt in one environment."""

    prompt_id: str
    env: str
    key: str


class Program(NamedTuple):
    """A connection. `environments` is None for all; `keys` is None if it reports nothing, and
    `revision` if it has applied nothing yet. `workspaces` are those that it fetches from."""

    app: str
    client_type: str
    version: str
    environments: frozenset[str] | None
    workspaces: frozenset[str]
    keys: frozenset[str] | None
    revision: int | None

    @property
    def name(self) -> str:
        """Return the name that people use."""
        return self.app or self.client_type

    def watches(self, env: str) -> bool:
        """Whether it receives changes of this environment."""
        if self.environments is None:
            return True
        # Older releases stored names without normalizing them.
        return env in self.environments or composed(env) in self.environments


class Tally(NamedTuple):
    """How many programs have a prompt in memory, how many of these have its newest change, and how
    many others watch it but report nothing."""

    connected: int = 0
    current: int = 0
    silent: int = 0

    def plus(self, other: "Tally") -> "Tally":
        return Tally(*(one + another for one, another in zip(self, other, strict=True)))


class ProgramGroup(NamedTuple):
    """Connections of one program and version of the SDK, and the lowest revision among them."""

    app: str
    client_type: str
    version: str
    tally: Tally
    revision: int | None


SILENT = Tally(silent=1)
CURRENT = Tally(connected=1, current=1)
BEHIND = Tally(connected=1)


class PromptHolders:
    """Counts the clients of `LiveClients`; programs that the caller can't see are left out."""

    def __init__(
        self,
        *,
        database: Database,
        snapshot: Snapshot,
        replicas: Replicas,
        hub: Hub,
        visibility: Visibility,
        clients: LiveClients,
        recent: RecentChanges,
    ) -> None:
        self._database = database
        self._snapshot = snapshot
        self._replicas = replicas
        self._hub = hub
        self._visibility = visibility
        self._clients = clients
        self._recent = recent

    async def tallies(self, places: Sequence[PromptPlace], *, actor: Actor) -> dict[str, Tally]:
        """Return the tally of each key, over the programs that have it in memory in one of these
        environments. A program that has the key in several environments is behind if it is behind
        in any."""
        by_key: defaultdict[str, list[PromptPlace]] = defaultdict(list)
        for place in places:
            by_key[place.key].append(place)
        tallies = dict.fromkeys(by_key, Tally())
        lookup = _Lookup(self._snapshot, self._recent)
        for program in await self._programs(actor, sorted(by_key)):
            for key in _held(program, by_key.keys()):
                tally = lookup.tally(program, by_key[key])
                if tally is not None:
                    tallies[key] = tallies[key].plus(tally)
        return tallies

    async def groups(self, place: PromptPlace, *, actor: Actor) -> list[ProgramGroup]:
        """Return the programs that have a prompt in memory, largest group first."""
        lookup = _Lookup(self._snapshot, self._recent)
        members: defaultdict[tuple[str, str, str], list[tuple[Tally, int | None]]]
        members = defaultdict(list)
        for program in await self._programs(actor, [place.key]):
            tally = lookup.tally(program, [place]) if _held(program, {place.key}) else None
            if tally is not None:
                group = (program.app, program.client_type, program.version)
                members[group].append((tally, program.revision))
        groups = [_group(name, programs) for name, programs in members.items()]
        return sorted(groups, key=lambda group: (-sum(group.tally[::2]), group[:3]))

    async def keys_by_program(
        self, workspace_id: str, *, actor: Actor
    ) -> dict[str, frozenset[str]]:
        """Return the keys that programs have in memory, by the program's name; programs that report
        nothing are left out. `EVERY_KEY` among them stands for all."""
        keys: dict[str, frozenset[str]] = {}
        for program in await self._programs(actor, None):
            if program.keys and workspace_id in program.workspaces:
                keys[program.name] = keys.get(program.name, frozenset()) | program.keys
        return keys

    async def _programs(self, actor: Actor, keys: Sequence[str] | None) -> list[Program]:
        programs = self._programs_here(actor)
        if others := self._replicas.others:
            names = None if keys is None else [*keys, EVERY_KEY]
            async with self._database.read() as transaction:
                rows = await repository.programs(transaction.session, others, names)
            programs += [
                Program(
                    row.app,
                    row.client_type,
                    row.version,
                    _set(row.environments),
                    frozenset(row.readable or ()),
                    _set(row.keys),
                    row.revision,
                )
                for row in rows
                if self._clients.may_see(actor, row.workspace, row.environments)
            ]
        return programs

    def _programs_here(self, actor: Actor) -> list[Program]:
        programs: list[Program] = []
        for subscription, group in self._hub.groups():
            if not self._clients.may_see(
                actor, subscription.watched_workspace, subscription.environments
            ):
                continue
            watched = (_set(subscription.environments), self._visibility.workspaces(subscription))
            for watcher in group:
                client = watcher.client
                if client.client_type != CONSOLE:
                    program = (client.app, client.client_type, client.version)
                    programs.append(Program(*program, *watched, *_reported(watcher)))
        return programs


class _Lookup:
    """Values that one response needs more than once."""

    def __init__(self, snapshot: Snapshot, recent: RecentChanges) -> None:
        self._snapshot = snapshot
        self._start = recent.start
        self._changes = recent.newest_by_prompt()
        self._fetched: dict[tuple[str, str, frozenset[str]], str | None] = {}

    def tally(self, program: Program, places: Iterable[PromptPlace]) -> Tally | None:
        """Return the program as a tally; None if it fetches none of these."""
        fetched = [place for place in places if self._fetches(program, place)]
        if not fetched:
            return None
        if program.keys is None:
            return SILENT
        applied = -1 if program.revision is None else program.revision
        newest = max(self._changes.get(place.prompt_id, self._start) for place in fetched)
        return CURRENT if applied >= newest else BEHIND

    def _fetches(self, program: Program, place: PromptPlace) -> bool:
        if not program.watches(place.env):
            return False
        asked = (place.env, place.key, program.workspaces)
        if asked not in self._fetched:
            entry = self._snapshot.first(*asked)
            self._fetched[asked] = entry and entry.prompt_id
        return self._fetched[asked] == place.prompt_id


def _held(program: Program, keys: Collection[str]) -> Iterable[str]:
    """Return those of these keys that the program has, or may have, in memory."""
    if program.keys is None or EVERY_KEY in program.keys:
        return keys
    return program.keys & set(keys)


def _reported(watcher: LegacyWatcher | ResumingWatcher) -> tuple[frozenset[str] | None, int | None]:
    return (watcher.keys, watcher.applied) if isinstance(watcher, ResumingWatcher) else (None, None)


def _group(name: tuple[str, str, str], members: Sequence[tuple[Tally, int | None]]) -> ProgramGroup:
    total = Tally()
    for tally, _ in members:
        total = total.plus(tally)
    revisions = [revision for _, revision in members if revision is not None]
    return ProgramGroup(*name, total, min(revisions, default=None))


def _set(values: Any) -> frozenset[str] | None:
    return None if values is None else frozenset(values)
