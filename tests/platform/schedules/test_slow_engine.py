"""An engine that is asked for times and takes long to answer."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy.pool import QueuePool

from harness.fake_engine import FakeEngine, fake_engine
from harness.platform import RunningPlatform, new_settings, running_platform, until
from harness.schedules import saved_schedule
from promptops_flows.protocol.deployment_messages import NextTimes


def times_asked(engine: FakeEngine) -> int:
    return sum(isinstance(question, NextTimes) for question in engine.questions)


def requests(platform: RunningPlatform, made: dict[str, Any]) -> list[Any]:
    """All that ask for times."""
    http, url, now = platform.http, f"/api/schedules/{made['id']}", datetime.now(UTC).isoformat()
    timetable = {"cron": "0 4 * * *"}
    body = {"key": "another", "workflow": made["workflow"], "variables": {"who": "Eve"}}
    return [
        http.get("/api/schedules"),
        http.get("/api/schedules", params={"workspace": "default", "limit": 1}),
        http.get(url),
        http.get(url),
        http.get("/api/schedules/times", params={"from": now}),
        http.post("/api/schedules/preview", json=timetable),
        http.put(url, json=timetable),
        http.post("/api/schedules", json={**body, **timetable}),
    ]


async def test_no_connection_is_held_while_the_engine_is_asked(data_folder: Path) -> None:
    """SQLite has four for reading: as many slow answers would keep all other routes waiting."""
    settings = await new_settings("sqlite", None, data_folder)
    async with fake_engine(settings.engine_socket) as engine, running_platform(settings) as running:
        made = await saved_schedule(running)
        engine.holds_questions, before = True, times_asked(engine)
        asking = [asyncio.create_task(request) for request in requests(running, made)]
        await until(lambda: times_asked(engine) - before == len(asking))
        engines = running.platform.database.engines
        pools = [cast("QueuePool", pool) for pool in (engines.reader.pool, engines.writer.pool)]
        # Something in the background may need one for a moment.
        await until(lambda: not any(pool.checkedout() for pool in pools))
        assert (await running.http.get("/api/prompts")).status_code == 200
        engine.release()
        answers = await asyncio.gather(*asking)
    assert [answer.status_code for answer in answers] == [200] * 4 + [503] * 2 + [200] * 2
