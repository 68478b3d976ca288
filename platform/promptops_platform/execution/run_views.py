"""Streams of a run's events, for those who may read it.

At the replica that executes the run they come from its feed, at other replicas from signals and the
run log.
"""

import asyncio
from collections.abc import AsyncGenerator

from promptops_flows.protocol.engine_client import StepFinished
from promptops_platform.access.actor import Actor
from promptops_platform.access.authentication import Authenticator
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable, PlatformError
from promptops_platform.execution.live_events import LiveEvents, step_event
from promptops_platform.execution.run_feed import FeedPosition, RunFeed, RunFeeds
from promptops_platform.http.event_stream import ServerEvent
from promptops_platform.http.open_streams import OpenStreams
from promptops_platform.runlog.news import POLL_SECONDS, RunNews, RunWatch
from promptops_platform.runlog.reading import RunReader
from promptops_platform.runlog.schemas import RunDetail, RunStep
from promptops_platform.runlog.states import UNDER_WAY_STATES
from promptops_platform.runlog.tables import RunRow, RunStepRow

# A stream ends within this time when its reader loses the permission.
REVIEW_SECONDS = 1.0
# A reader that has seen the end has seen everything.
END_ID = "end"


class RunViews:
    """Each open stream reads in its own transactions; none is open while the stream waits."""

    def __init__(
        self,
        *,
        database: Database,
        reader: RunReader,
        news: RunNews,
        feeds: RunFeeds,
        live: LiveEvents,
        authenticator: Authenticator,
        streams: OpenStreams,
    ) -> None:
        self.database = database
        self.reader = reader
        self.feeds = feeds
        self.live = live
        self.authenticator = authenticator
        self._news = news
        self._streams = streams

    async def require(self, run_id: str, *, actor: Actor) -> None:
        """Raises NotFound if the caller may not see the run."""
        async with self.database.read() as transaction:
            await self.reader.get(transaction, run_id, actor=actor)

    async def events(
        self, run_id: str, last_event_id: str | None, *, actor: Actor
    ) -> AsyncGenerator[ServerEvent, None]:
        """Yield `run` first, unless everything after `last_event_id` is still available, then the
        events, and finally `end`; `error` if the caller loses the permission to read the run.

        Raises NotFound and TooManyRequests before the first event.
        """
        with self._streams.opened(actor.caller_id), self._news.watching(run_id) as watch:
            view = _View(self, run_id, actor, watch)
            for event in await view.begin(last_event_id):
                yield event
            while not view.has_ended:
                await watch.news(REVIEW_SECONDS)
                try:
                    events = await view.more()
                except PlatformError as error:
                    yield ServerEvent("error", error.body())
                    return
                for event in events:
                    yield event


class _View:
    """What one reader has seen of a run."""

    def __init__(self, views: RunViews, run_id: str, actor: Actor, watch: RunWatch) -> None:
        self._views = views
        self._run_id = run_id
        self._actor = actor
        self._watch = watch
        self.has_ended = False
        self._row: RunRow | None = None
        self._state: tuple[object, ...] = ()
        # Places of the finished steps that were sent.
        self._shown: set[int] = set()
        self._feed: RunFeed | None = None
        self._position = FeedPosition(0)
        # Steps before this position are skipped, because the first event contained them.
        self._caught_up = FeedPosition(0)
        self._read_at = 0.0

    async def begin(self, last_event_id: str | None = None) -> list[ServerEvent]:
        """Return the events for a new reader, or for one that resumes."""
        self._watch.take_log_changed()
        row, steps = await self._read(whole=True)
        feed = self._feed = self._views.feeds.find(self._run_id)
        resumed = None if feed is None else feed.position_after(last_event_id or "")
        if feed is not None and resumed is not None:
            self._position, self._shown = resumed, feed.finished_before(resumed)
            return [self._state_event(row), *await self._rest(row, steps)]
        detail = RunDetail.with_steps(row, steps).model_dump(mode="json")
        self._state = _state_of(row)
        self._shown = {step.position for step in steps}
        first = ServerEvent("run", detail)
        if feed is not None:
            first = ServerEvent("run", detail, feed.event_id(feed.start))
            self._catch_up(feed)
        return [first, *await self._rest(row, steps)]

    async def more(self) -> list[ServerEvent]:
        """Return what has happened since; raises NotFound and Unauthorized if the reader has lost
        the permission."""
        self._actor = self._views.authenticator.require_current(self._actor)
        if self._row is not None:
            self._views.reader.require(self._row, actor=self._actor)
        feed = self._views.feeds.find(self._run_id)
        if feed is not None and feed is not self._feed:
            self._feed = feed
            self._catch_up(feed)
        if self._feed is not None and not self._feed.has(self._position):
            # The reader is too slow: the feed has dropped what comes next.
            return await self.begin()
        is_due = self._now() - self._read_at >= POLL_SECONDS
        if self._watch.take_log_changed() or is_due:
            try:
                row, steps = await self._read()
            except DatabaseUnavailable:
                # It is read again.
                return await self._from_feed()
            events = [] if _state_of(row) == self._state else [self._state_event(row)]
            return events + await self._rest(row, steps)
        return await self._from_feed()

    async def _read(self, *, whole: bool = False) -> tuple[RunRow, list[RunStepRow]]:
        self._read_at, reader = self._now(), self._views.reader
        async with self._views.database.read() as transaction:
            row = self._row = await reader.get(transaction, self._run_id, actor=self._actor)
            whole = whole or row.state not in UNDER_WAY_STATES or not self._has_feed
            return row, await reader.steps(transaction, self._run_id) if whole else []

    @property
    def _has_feed(self) -> bool:
        """Whether the feed contains every step, so that the log need not be read for them. It
        doesn't if another replica has taken the run over."""
        feed = self._feed
        return feed is not None and feed.is_whole and feed.is_live

    async def _rest(self, row: RunRow, steps: list[RunStepRow]) -> list[ServerEvent]:
        """Return what feed and log have, and the end."""
        events = await self._from_feed()
        if not self._has_feed:
            for step in steps:
                if step.position not in self._shown:
                    self._shown.add(step.position)
                    events.append(step_event(RunStep.of_row(step)))
        if row.state not in UNDER_WAY_STATES:
            self.has_ended = True
            detail = RunDetail.with_steps(row, steps).model_dump(mode="json")
            events.append(ServerEvent("end", detail, END_ID))
        return events

    def _catch_up(self, feed: RunFeed) -> None:
        self._position, self._caught_up = feed.start, feed.end

    async def _from_feed(self) -> list[ServerEvent]:
        feed = self._feed
        if feed is None:
            return []
        shown: list[ServerEvent] = []
        if self._position == feed.start and self._views.live.have_text:
            shown += [ServerEvent("skipped", {"step": step}) for step in sorted(feed.cut_steps)]
        for event, position in [*feed.after(self._position)]:
            self._position = position
            if position <= self._caught_up and event.index in self._shown:
                continue
            events = await self._views.live.shown(self._run_id, event)
            if events:
                # A client that has received the last one resumes after all of them.
                events[-1] = events[-1]._replace(id=feed.event_id(position))
            shown += events
            if isinstance(event, StepFinished):
                self._shown.add(event.index)
        return shown

    def _state_event(self, row: RunRow) -> ServerEvent:
        self._state = _state_of(row)
        names = ("state", "status", "attempt", "flow_run_id", "flow_run_url")
        return ServerEvent("state", {name: getattr(row, name) for name in names})

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _state_of(row: RunRow) -> tuple[object, ...]:
    return row.state, row.attempt, row.flow_run_id
