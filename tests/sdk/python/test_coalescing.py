"""Coalescing: shared and separate calls, and interrupted ones."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.sdk_server import DEADLINE
from promptops.coalescing import Coalesced


def test_calls_one_after_the_other_are_not_shared() -> None:
    keys: list[str] = []
    calls: Coalesced[int] = Coalesced(lambda key, _: keys.append(key) or len(keys))
    until = time.monotonic() + DEADLINE
    assert [
        calls.join("a", until),
        calls.join("a", until),
        calls.call_anew("a", until),
        calls.join("b", until),
    ] == [1, 2, 3, 4]


def test_an_interrupted_call_leaves_no_outcome_to_share() -> None:
    entered, interrupted = threading.Event(), threading.Event()
    outcomes = iter([ValueError("ancient"), KeyboardInterrupt(), "fresh"])

    def call(key: str, until: float) -> str:
        outcome = next(outcomes)
        if isinstance(outcome, KeyboardInterrupt):
            entered.set()
            assert interrupted.wait(DEADLINE)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    calls, until = Coalesced(call), time.monotonic() + DEADLINE
    with pytest.raises(ValueError, match="ancient"):
        calls.join("a", until)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(calls.join, "a", until)
        assert entered.wait(DEADLINE)
        second = threads.submit(calls.join, "a", until)
        interrupted.set()
        with pytest.raises(KeyboardInterrupt):
            first.result(DEADLINE)
        assert second.result(DEADLINE) == "fresh"


def test_calls_of_one_key_never_overlap() -> None:
    inside = threading.Lock()

    def call(key: str, until: float) -> str:
        assert inside.acquire(blocking=False)
        inside.release()
        return key

    calls, until = Coalesced(call), time.monotonic() + DEADLINE
    with ThreadPoolExecutor(8) as threads:
        list(
            threads.map(
                lambda turn: (calls.call_anew if turn % 2 else calls.join)("a", until), range(500)
            )
        )


def test_waiting_for_another_call_ends_at_the_deadline_and_leaves_no_state() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def call(key: str, until: float) -> str:
        entered.set()
        assert go_on.wait(DEADLINE)
        return key

    calls = Coalesced(call)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(calls.join, "a", time.monotonic() + DEADLINE)
        assert entered.wait(DEADLINE)
        for ask in (calls.join, calls.call_anew):
            with pytest.raises(TimeoutError):
                ask("a", time.monotonic())
        go_on.set()
        assert first.result(DEADLINE) == "a"
    assert calls._running == {}
