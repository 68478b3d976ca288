"""The pauses of the watch between refetches."""

from __future__ import annotations

import json
import time

from promptops import ForbiddenError, ServerError, UnauthorizedError
from promptops.options import ClientState, Options
from promptops.prompt_store import CachedPrompt, FeedPosition
from promptops.prompts import parse_prompt
from promptops.retries import Retries
from promptops.sync_state import TOO_LONG_REPORT, SyncState, _keys_report

FAILED = ServerError(503, "not now")


def test_each_prompt_has_its_own_growing_pause() -> None:
    retries, now = Retries(), time.monotonic()
    assert [retries.failed("bad", refused=False) <= 0.5 * 2**n for n in range(4)] == [True] * 4
    assert max(retries.failed("bad", refused=False) for _ in range(50)) <= 10
    assert retries.not_before("bad") >= now
    assert retries.not_before("good") == 0
    pauses = [retries.failed("refused", refused=True) for _ in range(50)]
    assert 10 <= pauses[0] <= 30
    assert 10 <= min(pauses) <= max(pauses) <= 300


def test_what_ends_a_pause() -> None:
    retries = Retries()
    for end in (retries.end_all, lambda: retries.succeeded("good"), lambda: retries.end("bad")):
        retries.failed("bad", refused=True)
        assert retries.not_before("bad") > time.monotonic()
        end()
        assert retries.not_before("bad") == 0


def sync_state_of(*keys: str) -> tuple[ClientState, SyncState]:
    """A state with a hello at revision 1, and these cached keys."""
    state = ClientState(Options("http://h", "prod", "t", "", "", 1.0, 60.0, None, None), notify=len)
    sync_state = state.new_sync_state()
    sync_state.connected()
    send(sync_state, type="hello", epoch="e", revision=1, heartbeat_seconds=10)
    send(sync_state, type="resync", epoch="e", revision=1)
    for key in keys:
        full_prompt = parse_prompt({"key": key, "content": ""})
        state.store.store(
            key, CachedPrompt(full_prompt, full_prompt.served, "server", FeedPosition(1, "e"), 0.0)
        )
    return state, sync_state


def send(sync_state: SyncState, **message: object) -> None:
    sync_state.handle_message(json.dumps(message))


def publish(sync_state: SyncState, key: str, revision: int) -> None:
    send(sync_state, type="prompt.published", key=key, env="prod", version="v", revision=revision)


def test_a_failing_prompt_does_not_delay_others() -> None:
    _, sync_state = sync_state_of("bad", "good")
    publish(sync_state, "bad", 2)
    due = sync_state.next_due()
    assert due is not None
    sync_state.record_refetch(due, None, FAILED)
    assert sync_state.next_due() is None
    publish(sync_state, "good", 3)
    due = sync_state.next_due()
    assert due is not None
    assert due.key == "good"


def test_a_new_event_a_resync_and_a_connection_are_reasons_to_try_at_once() -> None:
    _, sync_state = sync_state_of("bad")
    publish(sync_state, "bad", 2)
    for again in (
        lambda: publish(sync_state, "bad", 3),
        lambda: send(sync_state, type="resync", epoch="e", revision=4),
        sync_state.connected,
    ):
        due = sync_state.next_due()
        assert due is not None
        sync_state.record_refetch(due, None, FAILED)
        assert sync_state.next_due() is None
        again()
        assert sync_state.next_due() is not None


def test_a_refused_token_notifies_once_for_all_prompts() -> None:
    state, sync_state = sync_state_of("a", "b", "c")
    refusals: list[object] = []
    state.listeners.error.append(refusals.append)
    errors = [
        UnauthorizedError(401, "one"),
        ForbiddenError(403, "two"),
        UnauthorizedError(401, "x"),
    ]
    for number, key in enumerate("abc"):
        publish(sync_state, key, 2 + number)
    for error in errors:
        due = sync_state.next_due()
        assert due is not None
        sync_state.record_refetch(due, None, error)()
    assert sync_state.next_due() is None
    assert refusals == errors[:1]
    sync_state.connected()
    due = sync_state.next_due()
    assert due is not None
    sync_state.record_refetch(due, None, errors[2])()
    assert refusals == [errors[0], errors[2]]


def test_the_longest_report_fits_into_a_frame() -> None:
    empty = len(_keys_report(frozenset({""})))
    longest = frozenset({"x" * (TOO_LONG_REPORT - empty - 1)})
    assert len(_keys_report(longest)) == TOO_LONG_REPORT - 1
    assert json.loads(_keys_report(frozenset({"x" * (TOO_LONG_REPORT - empty)})))["keys"] == ["*"]


def test_invalid_numbers_and_epochs() -> None:
    _, sync_state = sync_state_of()
    send(sync_state, type="hello", epoch="e", revision=1, heartbeat_seconds=1e9)
    assert sync_state.silence == 25
    send(sync_state, type="heartbeat", revision=10**400)
    send(sync_state, type="heartbeat", revision=-7)
    send(sync_state, type="hello", epoch="\ud800", revision=2)
    send(sync_state, type="resync", epoch="\ud800", revision=2)
    assert sync_state.resume_parameters() == {"since": "1", "epoch": "e"}
