"""Coalescing: what is shared, what is not, and what an interrupted call leaves behind."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.sdk_server import DEADLINE
from promptops.coalescing import Coalesced


def test_calls_one_after_the_other_are_not_shared() -> None:
    made: list[str] = []
    calls: Coalesced[int] = Coalesced(lambda key: made.append(key) or len(made))
    assert [calls.join("a"), calls.join("a"), calls.fresh("a"), calls.join("b")] == [1, 2, 3, 4]


def test_an_interrupted_call_leaves_no_outcome_to_share() -> None:
    entered, interrupted = threading.Event(), threading.Event()
    outcomes = iter([ValueError("ancient"), KeyboardInterrupt(), "fresh"])

    def call(key: str) -> str:
        outcome = next(outcomes)
        if isinstance(outcome, KeyboardInterrupt):
            entered.set()
            assert interrupted.wait(DEADLINE)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    calls = Coalesced(call)
    with pytest.raises(ValueError, match="ancient"):
        calls.join("a")
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(calls.join, "a")
        assert entered.wait(DEADLINE)
        second = threads.submit(calls.join, "a")
        interrupted.set()
        with pytest.raises(KeyboardInterrupt):
            first.result(DEADLINE)
        assert second.result(DEADLINE) == "fresh"


def test_calls_of_one_key_never_overlap() -> None:
    inside = threading.Lock()

    def call(key: str) -> None:
        assert inside.acquire(blocking=False)
        inside.release()

    calls: Coalesced[None] = Coalesced(call)
    with ThreadPoolExecutor(8) as threads:
        list(
            threads.map(lambda turn: calls.fresh("a") if turn % 2 else calls.join("a"), range(500))
        )
