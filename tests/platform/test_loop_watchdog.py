import asyncio
import time

from harness.loop_watchdog import LoopWatchdog


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def test_a_callback_that_holds_the_loop_is_reported(loop_watchdog: LoopWatchdog) -> None:
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.call_soon(burn, 0.3)
    loop.call_soon(done.set)
    await done.wait()
    stalls = [stall for stall in loop_watchdog.stalls if "burn" in stall]
    loop_watchdog.stalls.clear()
    assert len(stalls) == 1


async def test_a_wait_and_the_tests_own_steps_are_not(loop_watchdog: LoopWatchdog) -> None:
    await asyncio.sleep(0.3)
    burn(0.3)
    await asyncio.sleep(0)
    assert loop_watchdog.stalls == []
