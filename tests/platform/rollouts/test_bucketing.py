"""Bucketing: the shared conformance cases, and that it is fair, independent and stable."""

import json
from collections import Counter
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import mmh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.murmur3 import murmur3
from promptops_platform.rollouts.bucketing import (
    BASIS_POINTS,
    bucket_of,
    choice,
    drawn_bucket,
    ends_of,
)

CONFORMANCE = Path(__file__).parents[3] / "sdk" / "conformance" / "bucketing.json"
SUITE: dict[str, Any] = json.loads(CONFORMANCE.read_text("utf-8"))
CASES: list[dict[str, Any]] = SUITE["cases"]
# The same subjects each time: what holds for them today holds tomorrow.
SUBJECTS = [f"user-{number}" for number in range(100_000)]
# Of the chi-square distribution: exceeded by chance once in a thousand times.
CHI_SQUARE_3, CHI_SQUARE_81, CHI_SQUARE_99 = 16.27, 124.84, 148.23

weights = (
    st.lists(st.integers(0, BASIS_POINTS), min_size=1, max_size=19)
    .map(sorted)
    .map(lambda cuts: [after - before for before, after in pairwise([0, *cuts, BASIS_POINTS])])
)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_conformance(case: dict[str, Any]) -> None:
    hashed = murmur3(f"{case['salt']}:{case['subject']}".encode())
    bucket = bucket_of(case["salt"], case["subject"])
    assert (hashed, bucket) == (case["hash"], case["bucket"])
    assert case["chosen"].keys() == SUITE["variant_lists"].keys()
    for name, variants in SUITE["variant_lists"].items():
        chosen = variants[choice(ends_of(weight for _, weight in variants), bucket)]
        assert chosen[0] == case["chosen"][name], name


def test_the_suite_is_of_a_known_format_and_sound() -> None:
    assert SUITE["format"] == 1
    assert len({case["name"] for case in CASES}) == len(CASES)
    for variants in SUITE["variant_lists"].values():
        assert sum(weight for _, weight in variants) == BASIS_POINTS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("hello", 0x248BFA47),
        ("hello, world", 0x149BBB7F),
        ("The quick brown fox jumps over the lazy dog", 0x2E4FF723),
    ],
)
def test_the_reference_gives_the_published_hashes(text: str, expected: int) -> None:
    assert murmur3(text.encode()) == expected


@given(st.binary(max_size=70))
def test_the_hash_is_the_references(data: bytes) -> None:
    assert mmh3.hash(data, 0, signed=False) == murmur3(data)


@given(st.text(max_size=20), st.text(max_size=40))
def test_every_subject_has_a_bucket(salt: str, subject: str) -> None:
    assert 0 <= bucket_of(salt, subject) < BASIS_POINTS


@given(weights, st.integers(0, BASIS_POINTS - 1))
def test_ranges_follow_one_another_as_configured(weights: list[int], bucket: int) -> None:
    index = choice(ends_of(weights), bucket)
    assert sum(weights[:index]) <= bucket < sum(weights[: index + 1])


def chi_square(counts: Counter[Any], expected: dict[Any, float]) -> float:
    assert counts.keys() <= expected.keys()
    return sum((counts[value] - share) ** 2 / share for value, share in expected.items())


def test_variants_get_their_shares() -> None:
    weights = [1000, 2000, 3000, 4000]
    ends = ends_of(weights)
    counts = Counter(choice(ends, bucket_of("salt", subject)) for subject in SUBJECTS)
    assert chi_square(counts, {n: weight * 10.0 for n, weight in enumerate(weights)}) < CHI_SQUARE_3


def test_buckets_are_even() -> None:
    counts = Counter(bucket_of("salt", subject) // 100 for subject in SUBJECTS)
    assert chi_square(counts, dict.fromkeys(range(100), 1000.0)) < CHI_SQUARE_99


def test_two_salts_assign_independently() -> None:
    counts = Counter(
        (bucket_of("one", subject) // 1000, bucket_of("two", subject) // 1000)
        for subject in SUBJECTS
    )
    cells = [(row, column) for row in range(10) for column in range(10)]
    rows, columns = Counter[int](), Counter[int]()
    for (row, column), number in counts.items():
        rows[row] += number
        columns[column] += number
    expected = {(row, column): rows[row] * columns[column] / 100_000 for row, column in cells}
    assert chi_square(counts, expected) < CHI_SQUARE_81


def test_draws_without_a_subject_are_even() -> None:
    """Random by nature: the bound is exceeded by chance less than once in 10 to the 12."""
    counts = Counter(drawn_bucket() // 1000 for _ in range(100_000))
    assert chi_square(counts, dict.fromkeys(range(10), 10_000.0)) < 80


@pytest.mark.parametrize("share", [1, 1500, 9999, 10_000])
def test_widening_one_of_two_moves_subjects_only_into_it(share: int) -> None:
    before, after = ends_of([1000, 9000]), ends_of([share, BASIS_POINTS - share])
    widened = 0 if share > 1000 else 1
    moved = 0
    for subject in SUBJECTS:
        bucket = bucket_of("salt", subject)
        if choice(before, bucket) != choice(after, bucket):
            moved += 1
            assert choice(after, bucket) == widened
    expected = abs(share - 1000) * 10
    assert abs(moved - expected) < 5 * expected**0.5


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([2500, 2500, 5000], [2500, 4000, 3500]),
        ([2500, 2500, 5000], [3000, 2500, 4500]),
        ([100, 200, 300, 9400], [9400, 300, 200, 100]),
        ([2000, 2000, 2000, 2000, 2000], [2000, 0, 4000, 2000, 2000]),
    ],
)
def test_with_more_variants_subjects_move_only_across_moved_boundaries(
    before: list[int], after: list[int]
) -> None:
    for subject in SUBJECTS:
        moves_only_across_moved_boundaries(before, after, bucket_of("salt", subject))


@given(st.tuples(weights, weights).filter(lambda pair: len(pair[0]) == len(pair[1])))
def test_so_it_is_for_any_weights(pair: tuple[list[int], list[int]]) -> None:
    for bucket in range(0, BASIS_POINTS, 7):
        moves_only_across_moved_boundaries(*pair, bucket)


def moves_only_across_moved_boundaries(before: list[int], after: list[int], bucket: int) -> None:
    moved = choice(ends_of(before), bucket) != choice(ends_of(after), bucket)
    pairs = zip(accumulate(before), accumulate(after), strict=True)
    crossed = any(min(pair) <= bucket < max(pair) for pair in pairs)
    assert moved == crossed
