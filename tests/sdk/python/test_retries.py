"""When the watch asks again for what it could not get."""

from __future__ import annotations

import json
import time

from promptops import ForbiddenError, ServerError, UnauthorizedError
from promptops.following import TOO_LONG_REPORT, Following, _holding
from promptops.memory import Known, Stamp
from promptops.prompts import parse_prompt
from promptops.retries import Retries
from promptops.setup import Options, Setup

FAILED = ServerError(503, "not now")


def test_each_prompt_has_a_pause_of_its_own_that_grows() -> None:
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


def following_of(*keys: str) -> tuple[Setup, Following]:
    """One that is greeted at revision 1 and holds these keys since."""
    setup = Setup(Options("http://h", "prod", "t", "", "", 1.0, 60.0, None, None), tell=len)
    following = setup.new_following()
    following.connected()
    say(following, type="hello", epoch="e", revision=1, heartbeat_seconds=10)
    say(following, type="resync", epoch="e", revision=1)
    for key in keys:
        whole = parse_prompt({"key": key, "content": ""})
        setup.memory.keep(key, Known(whole, whole.served, "server", Stamp(1, "e"), 0.0))
    return setup, following


def say(following: Following, **message: object) -> None:
    following.hear(json.dumps(message))


def publish(following: Following, key: str, revision: int) -> None:
    say(following, type="prompt.published", key=key, env="prod", version="v", revision=revision)


def test_a_prompt_that_fails_holds_up_no_other() -> None:
    _, following = following_of("bad", "good")
    publish(following, "bad", 2)
    due = following.next_due()
    assert due is not None
    following.refetched(due, None, FAILED)
    assert following.next_due() is None
    publish(following, "good", 3)
    due = following.next_due()
    assert due is not None
    assert due.key == "good"


def test_a_new_event_a_resync_and_a_connection_are_reasons_to_try_at_once() -> None:
    _, following = following_of("bad")
    publish(following, "bad", 2)
    for again in (
        lambda: publish(following, "bad", 3),
        lambda: say(following, type="resync", epoch="e", revision=4),
        following.connected,
    ):
        due = following.next_due()
        assert due is not None
        following.refetched(due, None, FAILED)
        assert following.next_due() is None
        again()
        assert following.next_due() is not None


def test_a_refused_token_is_told_once_for_all_prompts() -> None:
    setup, following = following_of("a", "b", "c")
    told: list[object] = []
    setup.listeners.error.append(told.append)
    errors = [
        UnauthorizedError(401, "one"),
        ForbiddenError(403, "two"),
        UnauthorizedError(401, "x"),
    ]
    for number, key in enumerate("abc"):
        publish(following, key, 2 + number)
    for error in errors:
        due = following.next_due()
        assert due is not None
        following.refetched(due, None, error)()
    assert following.next_due() is None
    assert told == errors[:1]
    following.connected()
    due = following.next_due()
    assert due is not None
    following.refetched(due, None, errors[2])()
    assert told == [errors[0], errors[2]]


def test_the_longest_report_fits_into_a_frame() -> None:
    empty = len(_holding(frozenset({""})))
    longest = frozenset({"x" * (TOO_LONG_REPORT - empty - 1)})
    assert len(_holding(longest)) == TOO_LONG_REPORT - 1
    assert json.loads(_holding(frozenset({"x" * (TOO_LONG_REPORT - empty)})))["keys"] == ["*"]


def test_numbers_and_epochs_that_no_server_means() -> None:
    _, following = following_of()
    say(following, type="hello", epoch="e", revision=1, heartbeat_seconds=1e9)
    assert following.silence == 25
    say(following, type="heartbeat", revision=10**400)
    say(following, type="heartbeat", revision=-7)
    say(following, type="hello", epoch="\ud800", revision=2)
    say(following, type="resync", epoch="\ud800", revision=2)
    assert following.position() == {"since": "1", "epoch": "e"}
