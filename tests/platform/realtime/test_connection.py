"""What a client may do with its connection, and that it harms nobody else."""

import asyncio
import logging
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from harness.followers import closed, following
from harness.platform import (
    TOKEN,
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    running_platform,
    until,
)
from harness.postgres import Postgres
from promptops_platform.realtime.connection import MOST_FRAGMENTS, MOST_FRAMES
from promptops_platform.realtime.watchers import LegacyWatcher, ResumingWatcher

TOO_MUCH = 1008
FILLING = Frame(Opcode.BINARY, bytes(60_000)).serialize(mask=False)


def frames(opcode: Opcode, count: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin=fin).serialize(mask=True) * count


START = frames(Opcode.TEXT, 1, fin=False)


@pytest.mark.parametrize(
    "flood",
    [
        frames(Opcode.PING, 50 * MOST_FRAMES),
        frames(Opcode.TEXT, 50 * MOST_FRAMES, b"{}"),
        frames(Opcode.TEXT, 1, fin=False) + frames(Opcode.CONT, 50 * MOST_FRAMES, fin=False),
        frames(Opcode.TEXT, 1, fin=False)
        + frames(Opcode.CONT, MOST_FRAGMENTS + 1, b" ", fin=False),
    ],
    ids=["pings", "texts", "fragments", "a few too many fragments"],
)
async def test_who_says_too_much_is_cut_off(platform: RunningPlatform, flood: bytes) -> None:
    async with following(platform) as calm, following(platform) as loud:
        loud.connection.transport.write(flood)
        assert await closed(loud.connection) == TOO_MUCH
        prompt = await platform.create(env="prod")
        assert (await calm.next())["id"] == prompt["id"]


async def test_a_report_may_come_in_fragments(platform: RunningPlatform) -> None:
    app = new_key()
    async with following(platform, app=app) as follower:
        await follower.connection.send(iter(['{"type":"hold', 'ing","keys":', '["a","b"]}']))
        server_side = connection_of(platform, app)
        assert isinstance(server_side, ResumingWatcher)
        await until(lambda: len(server_side.keys) == 2)


async def test_pongs_that_nobody_reads_do_not_pile_up(platform: RunningPlatform) -> None:
    app = new_key()
    async with following(platform, app=app) as stuck:
        stuck.connection.transport.pause_reading()
        connection = connection_of(platform, app).connection
        while not connection.is_paused:
            connection.write(FILLING)
        waiting = connection.unread
        heard = connection._frames_received
        stuck.connection.transport.write(frames(Opcode.PING, 100, b"x" * 100))
        await until(lambda: connection._frames_received >= heard + 100)
        assert connection.unread <= waiting
        stuck.connection.transport.abort()


@pytest.mark.parametrize("closing", [False, True], ids=["and is silent", "and has said goodbye"])
async def test_who_does_not_read_does_not_hold_up_a_stop(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path, *, closing: bool
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        address = f"ws://127.0.0.1:{platform.port}/ws?token={TOKEN}&since=0&app="
        stuck = await connect(address + "stuck", ping_interval=None, compression=None)
        well = await connect(address + "well", compression=None)
        await stuck.recv()
        connection = connection_of(platform, "stuck").connection
        stuck.transport.pause_reading()
        while not connection.is_paused:
            connection.write(FILLING)
        if closing:
            stuck.transport.write(frames(Opcode.CLOSE, 1))
            await until(connection.transport.is_closing)
        stopping = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - stopping < settings.drain_seconds
    stuck.transport.abort()
    await stuck.wait_closed()
    assert await closed(well) == 1012


async def test_a_refused_handshake_is_no_fault_of_the_server(
    platform: RunningPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        with pytest.raises(InvalidStatus):
            async with platform.watch(token="nobody's"):
                pass
        await platform.http.get("/health")
    assert not caplog.records


def connection_of(platform: RunningPlatform, app: str) -> LegacyWatcher | ResumingWatcher:
    return next(
        connection
        for connection in platform.platform.realtime.hub.connections()
        if connection.client.app == app
    )
