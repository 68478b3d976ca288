"""Busy thread pools are reported, and the comparisons of one run leave a thread to others."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from harness.platform import until
from harness.processes import WAIT_SECONDS
from promptops_flows.engine.host import EngineReadiness
from promptops_flows.engine.prefect_gate import PrefectGate
from promptops_flows.engine.server import EngineServer
from promptops_flows.engine.thread_watch import ThreadWatch
from promptops_flows.json_schemas.turns import Turns
from promptops_flows.protocol.engine_protocol import Ready, Unavailable


async def test_a_full_thread_pool_makes_the_engine_unready() -> None:
    pool, release = ThreadPoolExecutor(max_workers=1), threading.Event()
    gate, threads = PrefectGate(), ThreadWatch(pool, patience_seconds=0.05)
    gate.reason = None
    server = EngineServer()
    server.readiness = EngineReadiness(gate, threads)
    watching = asyncio.create_task(threads.watch())
    busy = asyncio.get_running_loop().run_in_executor(pool, release.wait)
    try:
        await until(lambda: threads.reason is not None)
        status = server._status()
        assert isinstance(status, Unavailable)
        assert (status.part, status.reason) == ("threads", threads.reason)
        gate.reason = "the Prefect server can't be reached"
        assert server._unavailable_reason() == gate.reason
        gate.reason = None
        release.set()
        await until(lambda: threads.reason is None)
        assert isinstance(server._status(), Ready)
    finally:
        release.set()
        await busy
        watching.cancel()
        await asyncio.wait([watching])
        pool.shutdown()


async def test_the_comparisons_of_one_run_leave_a_thread_to_the_others() -> None:
    greedy, other, release = Turns(), Turns(), threading.Event()
    waiting = [asyncio.create_task(greedy.compare(release.wait)) for _ in range(8)]
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            assert await other.compare(lambda: "compared") == "compared"
        assert not any(task.done() for task in waiting)
    finally:
        release.set()
        assert await asyncio.gather(*waiting) == [True] * 8
