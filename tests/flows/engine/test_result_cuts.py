"""Tool results that exceed the model's context window."""

import pytest

from promptops_flows.engine.result_cuts import KEPT_CHARACTERS, NOTICE, ResultCuts
from promptops_providers.protocol import Message

LEAST = KEPT_CHARACTERS + len(NOTICE)


def conversation(*sizes: int) -> list[Message]:
    return [Message("user", "u" * 9_000), *(Message("tool", "t" * size) for size in sizes)]


def lengths(messages: list[Message]) -> list[int]:
    return [len(message.content) for message in messages[1:]]


@pytest.mark.parametrize(
    ("sizes", "left"),
    [
        ([1000, 1000, 1000, 1000], [LEAST, LEAST, 600, 1000]),
        ([10_000, 100], [5_000, 100]),
        ([100, 10_000], [100, 5_000]),
        ([2_000, 20_000], [LEAST, 11_000 - LEAST + 1]),
    ],
)
def test_the_oldest_are_cut_first_to_half_of_all(sizes: list[int], left: list[int]) -> None:
    messages = conversation(*sizes)
    assert ResultCuts().cut(messages)
    for size, expected in zip(lengths(messages), left, strict=True):
        assert abs(size - expected) <= 2 * len(NOTICE)
    assert messages[0].content == "u" * 9_000
    assert messages[1].content.startswith("t" * 100)


def test_cutting_comes_to_an_end() -> None:
    messages, cuts, rounds = conversation(1_000_000, 50, 400_000, 3), ResultCuts(), 0
    while cuts.cut(messages):
        assert sum(lengths(messages)) < 1_400_053
        rounds += 1
    assert 5 < rounds <= 16
    assert lengths(messages) == [LEAST, 50, LEAST, 3]
    assert cuts.note(messages) == (
        f"2 tool result(s) were cut from 1,400,000 to {2 * LEAST:,} characters, because the "
        "conversation outgrew the model's window"
    )


def test_nothing_to_cut() -> None:
    cuts = ResultCuts()
    assert not cuts.cut(conversation(LEAST, 10))
    assert cuts.note(conversation()) is None
